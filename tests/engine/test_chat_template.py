"""Templates in the style of the known families, and what the messages look like to them."""

from __future__ import annotations

import pytest

from workbench.core.errors import TemplateError
from workbench.core.messages import Message, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from workbench.core.requests import ChatRequest, Reasoning, Tool
from workbench.engine.chat_template import ChatTemplate, template_for, template_messages

CHATML = """\
{% for message in messages %}
    {% if loop.first and message['role'] != 'system' %}
        {{- '<|im_start|>system\\nBe kind.<|im_end|>\\n' }}
    {%- endif %}
    {{- '<|im_start|>' + message['role'] + '\\n' + message['content'] | trim + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
LLAMA = """\
{{- bos_token }}
{%- if messages[0].role == 'system' %}
    {%- set system = messages[0].content | trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system = '' %}
{%- endif %}
{{- '<|head|>system<|/head|>\\n\\nToday: ' ~ strftime_now('%Y') ~ '\\n' ~ system ~ eos_token }}
{%- for message in messages %}
    {%- if message.tool_calls is defined %}
        {%- set call = message.tool_calls[0].function %}
        {{- '<|head|>assistant<|/head|>' ~ {'name': call.name, 'parameters': call.arguments} | tojson ~ eos_token }}
    {%- else %}
        {{- '<|head|>' ~ message.role ~ '<|/head|>\\n\\n' ~ message.content | trim ~ eos_token }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|head|>assistant<|/head|>\\n\\n' }}{% endif %}
"""
MISTRAL = """\
{{- bos_token }}
{%- for message in messages %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('Roles must alternate user/assistant/user/assistant/...') }}
    {%- endif %}
    {%- if message['role'] == 'user' %}
        {{- '[INST] ' + message['content'] + ' [/INST]' }}
    {%- elif message['role'] == 'assistant' %}
        {{- ' ' + message['content'] + eos_token }}
    {%- endif %}
{%- endfor %}
"""
GEMMA = """\
{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}
{%- for message in messages -%}
    {%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}
    {{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}
{%- endfor -%}
{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}
"""
QWEN = """\
{%- set ns = namespace(last=-1) %}
{%- for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}
{%- for m in messages %}
    {%- if m.role == 'assistant' and m.reasoning_content is defined and loop.index0 > ns.last %}
        {{- '<|im_start|>assistant\\n<think>\\n' + m.reasoning_content }}
        {{- '\\n</think>\\n\\n' + m.content + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{% endif %}
{%- endif %}
"""
HELLO = (Message.of("system", "Be brief."), Message.of("user", "Hi"))


def render(source: str, *messages: Message, bos: str = "<s>", eos: str = "</s>", **fields: object) -> str:
    return ChatTemplate(source, bos_token=bos, eos_token=eos).render(ChatRequest(messages=messages, **fields))  # type: ignore[arg-type]


def test_chatml() -> None:
    assert render(CHATML, *HELLO) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )
    assert render(CHATML, HELLO[1]).startswith("<|im_start|>system\nBe kind.<|im_end|>\n")


def test_llama_with_date_and_special_tokens() -> None:
    text = render(LLAMA, *HELLO)
    assert text.startswith("<s><|head|>system<|/head|>\n\nToday: 2")
    assert text.endswith("\nBe brief.</s><|head|>user<|/head|>\n\nHi</s><|head|>assistant<|/head|>\n\n")


def test_tool_calls_are_objects_and_tojson_does_not_escape_for_html() -> None:
    call = ToolCallPart("c1", "find", '{"query": "a<b & é"}')
    text = render(LLAMA, HELLO[1], Message("assistant", (call,)))
    assert '{"name": "find", "parameters": {"query": "a<b & é"}}' in text


def test_system_prompt_goes_to_the_user_where_the_template_rejects_it() -> None:
    template = ChatTemplate(GEMMA, bos_token="<bos>")
    assert template.render(ChatRequest(messages=HELLO)) == (
        "<bos><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n<start_of_turn>model\n"
    )
    assert "no system prompt" in template.notices[0]
    template.render(ChatRequest(messages=HELLO[1:]))
    assert template.notices == ()


def test_system_prompt_that_a_template_silently_drops_goes_to_the_user_too() -> None:
    source = "{% for m in messages if m.role != 'system' %}[{{ m.content }}]{% endfor %}"
    template = ChatTemplate(source)
    assert template.render(ChatRequest(messages=HELLO)) == "[Be brief.\n\nHi]"
    assert template.notices


def test_turns_are_joined_where_the_template_wants_them_to_alternate() -> None:
    template = ChatTemplate(MISTRAL, bos_token="<s>", eos_token="</s>")
    request = ChatRequest(messages=(*HELLO, Message.of("user", "again")))
    assert template.render(request) == "<s>[INST] Be brief.\n\nHi\n\nagain [/INST]"
    assert len(template.notices) == 2


def test_what_the_template_rejects_for_another_reason_is_told_with_its_line() -> None:
    with pytest.raises(TemplateError) as caught:
        render("line one\n{{ raise_exception('no tools here') }}\nlast", *HELLO)
    assert caught.value.line == 2
    assert "no tools here" in caught.value.message
    assert "line 2" in caught.value.message
    assert ">    2 {{ raise_exception" in caught.value.excerpt
    assert caught.value.info.detail == caught.value.excerpt


@pytest.mark.parametrize(
    ("source", "line", "word"),
    [
        ("a\n{% if %}", 2, "Expected"),
        ("{{ x ", 1, ""),
        ("a\n\n{{ messages[7].content }}", 3, "element 7"),
        ("{% macro m() %}\n{{ 1/0 }}{% endmacro %}\n{{ m() }}", 2, "zero"),
        ("{% include 'x' %}", 1, ""),
    ],
)
def test_broken_templates_name_the_line(source: str, line: int, word: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render(source, *HELLO)
    assert caught.value.line == line
    assert word in caught.value.message
    assert len(caught.value.message.splitlines()) == 1


def test_loop_controls_generation_tag_and_variables() -> None:
    source = (
        "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% elif i > 3 %}{% break %}{% endif %}{{ i }}{% endfor %}"
        "{% generation %}{{ style }}{% endgeneration %}{{ reasoning_effort }}{{ enable_thinking }}"
    )
    text = render(source, HELLO[1], template_variables={"style": "x"}, reasoning=Reasoning(enabled=False, effort="low"))
    assert text == "013xlowFalse"


def test_tools_are_none_or_functions() -> None:
    source = "{% if tools %}{{ tools[0].type }} {{ tools[0].function.name }}{% else %}none{% endif %}"
    assert render(source, HELLO[1]) == "none"
    assert render(source, HELLO[1], tools=(Tool(name="find"),)) == "function find"


def test_shape_of_messages() -> None:
    messages = (
        Message("assistant", (ReasoningPart("hmm"), TextPart("a"), ToolCallPart("c1", "find", "not json"))),
        Message("tool", (ToolResultPart("c1", "found"), ToolResultPart("c2", "other"))),
        Message("user", (TextPart("one"), TextPart("two"))),
    )
    assert template_messages(messages) == [
        {
            "role": "assistant",
            "content": "a",
            "reasoning_content": "hmm",
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "find", "arguments": "not json"}}],
        },
        {"role": "tool", "content": "found", "tool_call_id": "c1", "name": "find"},
        {"role": "tool", "content": "other", "tool_call_id": "c2"},
        {"role": "user", "content": "one\n\ntwo"},
    ]


class TestContinuing:
    def test_stops_where_the_answer_stops(self) -> None:
        messages = (HELLO[1], Message.of("assistant", "1, 2, "))
        text = render(CHATML, *messages, continue_last=True)
        assert text.endswith("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n1, 2, ")

    def test_short_text_that_also_stands_in_the_markup(self) -> None:
        text = render(CHATML, HELLO[1], Message.of("assistant", "im"), continue_last=True)
        assert text.endswith("<|im_start|>assistant\nim")

    def test_inside_the_answer_after_reasoning(self) -> None:
        last = Message("assistant", (ReasoningPart("hmm"), TextPart("Yes, be")))
        assert render(QWEN, HELLO[1], last, continue_last=True).endswith("<think>\nhmm\n</think>\n\nYes, be")

    def test_inside_reasoning(self) -> None:
        last = Message("assistant", (ReasoningPart("hmm, so"),))
        assert render(QWEN, HELLO[1], last, continue_last=True).endswith("assistant\n<think>\nhmm, so")

    def test_template_that_does_not_show_the_last_answer(self) -> None:
        source = "{% for m in messages if m.role == 'user' %}{{ m.content }}\n{% endfor %}A:<think>"
        last = Message("assistant", (ReasoningPart("hmm"), TextPart("Yes")))
        assert render(source, HELLO[1], last, continue_last=True) == "Hi\nA:<think>hmm\n</think>\n\nYes"


def test_order_of_templates() -> None:
    request = ChatRequest(messages=HELLO[1:])
    assert template_for("own", None, "", "").render(request) == "own"
    assert template_for("own", "override", "", "").render(request) == "override"
    plain = template_for(" ", "", "", "")
    assert plain.is_fallback
    assert plain.stop


def test_fallback_is_a_plain_transcript() -> None:
    messages = (*HELLO, Message.of("assistant", "Hello."), Message.of("user", "And?"))
    text = template_for(None).render(ChatRequest(messages=messages))
    assert text == "Be brief.\n\nUser: Hi\n\nAssistant: Hello.\n\nUser: And?\n\nAssistant:"
    unfinished = ChatRequest(messages=messages[:3], continue_last=True)
    assert template_for(None).render(unfinished) == "Be brief.\n\nUser: Hi\n\nAssistant: Hello."


def test_sha256_is_that_of_the_source() -> None:
    assert ChatTemplate("a").sha256 == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
