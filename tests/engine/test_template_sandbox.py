"""Hostile templates: each ends in a TemplateError, with little memory, and the thread goes on unharmed."""

from __future__ import annotations

import threading
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.core.errors import TemplateError
from workbench.core.messages import Message
from workbench.core.requests import ChatRequest
from workbench.engine import chat_template
from workbench.engine.chat_template import ChatTemplate
from workbench.engine.template_sandbox import TooLong, time_limit

REQUEST = ChatRequest(messages=(Message.of("user", "Hi " * 100),))
TWICE = "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = STEP %}{% endfor %}{{ ns.x|length }}"

ENDLESS = {
    "loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}"
    "{% endfor %}",
    "filtered loop": "{% for a in range(99999) %}{{ range(99999)|select('gt', 99999)|list|length }}{% endfor %}",
    "macro": "{% macro m(n) %}{% for i in range(99999) %}{{ m(n) if n > 9 }}{% endfor %}{% endmacro %}"
    "{% for i in range(99999) %}{% set x = m(1) %}{% endfor %}",
}
TOO_MUCH = {
    "times": "{{ 'x' * 10**9 }}",
    "times of list": "{{ ([1] * 10**9)|length }}",
    "power": "{{ 9 ** (9 ** 9) }}",
    "product": "{% set ns = namespace(x=9) %}{% for i in range(60) %}{% set ns.x = ns.x * ns.x %}{% endfor %}",
    "plus": TWICE.replace("STEP", "ns.x + ns.x"),
    "tilde": TWICE.replace("STEP", "ns.x ~ ns.x"),
    "join": TWICE.replace("STEP", "[ns.x, ns.x]|join"),
    "join of a repeated text": "{% set x = 'y' * 1000000 %}{{ range(99999)|map('replace', '0', x)|join }}",
    "join with a default": "{% set x = 'y' * 1000000 %}{{ range(99999)|map(attribute='q', default=x)|join }}",
    "join method": "{% set x = 'y' * 1000000 %}{{ x.join('z' * 100000) }}",
    "replace": TWICE.replace("STEP", "ns.x|replace('a', 'aa')"),
    "replace method": TWICE.replace("STEP", "ns.x.replace('a', 'aa')"),
    "format": "{{ '%999999999d' % 1 }}",
    "format star": "{{ '%*d' % (999999999, 1) }}",
    "format filter": "{{ '%999999999d'|format(1) }}",
    "format method": "{{ '{:999999999}'.format(1) }}",
    "nested format": "{{ '{:{}}'.format(1, 999999999) }}",
    "format_map": "{{ '{x:999999999}'.format_map({'x': 1}) }}",
    "format again": TWICE.replace("STEP", "'%s%s' % (ns.x, ns.x)"),
    "center": "{{ 'x'.center(999999999) }}",
    "zfill": "{{ 'x'.zfill(999999999) }}",
    "expandtabs": "{{ ('\\t' * 1000000).expandtabs(99999) }}",
    "translate": "{{ 'x'.translate({120: 'y'}) }}",
    "indent": "{{ 'x\\ny'|indent(999999999) }}",
    "tojson indent": "{{ [1]|tojson(indent=999999999) }}",
    "to_bytes": "{{ (1).to_bytes(999999999, 'big') }}",
    "nested list": TWICE.replace("STEP", "[ns.x, ns.x]"),
    "nested tuple": TWICE.replace("STEP", "(ns.x, ns.x)"),
    "nested dict": TWICE.replace("STEP", "{'a': ns.x, 'b': ns.x}"),
    "nested dict()": TWICE.replace("STEP", "dict(a=ns.x, b=ns.x)"),
    "nested deep": TWICE.replace("60", "5000").replace("STEP", "[ns.x]").replace("|length", ""),
    "sum of lists": "{{ [[1],[2]]|sum(start=[]) }}",
    "namespace in itself": "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}",
    "block set": TWICE.replace("{% set ns.x = STEP %}", "{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}"),
    "macro": "{% macro m(x) %}{{ x }}{{ x }}{% endmacro %}" + TWICE.replace("STEP", "m(ns.x)"),
    "output": "{% for i in range(99999) %}{{ 'x' * 100000 }}{% endfor %}",
    "steps": "{% for i in range(99999) %}{% set x = 'y' * 1000000 %}{% endfor %}",
    "range": "{% for i in range(10**9) %}{% endfor %}",
    "date": "{{ strftime_now('%999999999d') }}",
    "slice": "{{ [1]|slice(999999999)|list }}",
    "number as text": "{{ (10**3000) ** 3 }}",
}
FORBIDDEN = {
    "class": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "attr filter": "{{ (''|attr('__class__')).__name__ }}",
    "format field": "{{ '{0.__class__.__init__.__globals__}'.format(range) }}",
    "function's insides": "{{ raise_exception.__globals__.keys() }}",
    "append": "{{ messages.append(1) }}",
    "update": "{{ messages[0].update({'a': 1}) }}",
    "import": "{% import 'os' as os %}",
    "self": "{{ self._TemplateReference__context.environment.loader.x }}",
    "lipsum": "{{ lipsum(1000) }}",
    "recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
}


@pytest.mark.parametrize("source", ENDLESS.values(), ids=ENDLESS)
def test_time_is_bounded(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_template, "TIME_LIMIT_S", 0.2)
    with pytest.raises(TemplateError, match=r"longer than 0.2 s|makes? too much") as caught:
        ChatTemplate(source).render(REQUEST)
    assert caught.value.line == 1


@pytest.mark.parametrize("source", TOO_MUCH.values(), ids=TOO_MUCH)
def test_memory_is_bounded(source: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(TemplateError):
            ChatTemplate(source).render(REQUEST)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200 * 1024 * 1024


@pytest.mark.parametrize("source", FORBIDDEN.values(), ids=FORBIDDEN)
def test_the_sandbox_holds(source: str) -> None:
    with pytest.raises(TemplateError):
        ChatTemplate(source).render(REQUEST)


def test_ordinary_work_on_a_long_chat_fits() -> None:
    messages = tuple(Message.of(("user", "assistant")[i % 2], "word " * 200) for i in range(300))
    source = (
        "{% set ns = namespace(text='', seen=[]) %}{% for m in messages %}{% set ns.seen = ns.seen + [m] %}"
        "{% if loop.index0 == messages|length - 1 %}{{ ns.seen|length }}{% endif %}"
        "{{ m.content|trim|replace('w', 'v') }}"
        "{{ '%s: %5d' % (m.role, loop.index) }}{{ m|tojson }}{{ ', '.join(['a', m.role]) }}{% endfor %}"
    )
    text = ChatTemplate(source).render(ChatRequest(messages=messages))
    assert "300vord" in text


def test_the_limit_interrupts_this_thread_only_and_leaves_nothing_behind() -> None:
    with pytest.raises(TooLong), time_limit(0.05):
        while True:
            pass
    for _ in range(20):
        with time_limit(5):
            pass
    assert not [thread for thread in threading.enumerate() if thread.name == "template watchdog" and not thread.daemon]


def test_many_threads_render_at_once() -> None:
    template = ChatTemplate("{% for i in range(2000) %}{{ i }}{% endfor %}{{ messages[0].content }}")
    results: list[str] = []

    def work(number: int) -> None:
        results.append(template.render(ChatRequest(messages=(Message.of("user", f"<{number}>"),)))[-3:])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [f"<{number}>" for number in range(8)]


fragments = st.sampled_from(
    [
        "{{",
        "}}",
        "{%",
        "%}",
        "for",
        "if",
        "in",
        "set",
        "x",
        "messages",
        "|",
        "join",
        "*",
        "9",
        "~",
        "[",
        "]",
        " ",
        "'",
        "(",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(fragments, max_size=15).map(" ".join))
def test_nonsense_renders_or_is_a_template_error(source: str) -> None:
    try:
        ChatTemplate(source).render(REQUEST)
    except TemplateError as error:
        assert error.message
