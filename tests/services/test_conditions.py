"""A test for each rule of the same-conditions check, and that equal conditions say nothing."""

from __future__ import annotations

import pytest

from workbench.core.runs import RunRecord
from workbench.services.conditions import RULES, Side, check_conditions


def side(title: str, *, attachments: int = 0, **fields) -> Side:
    fields = {"status": "done", "finish_reason": "stop", "seed": 1, **fields}
    run = RunRecord(id=title, session_id="s", model=fields.pop("model", title), started_at="2026-01-01", **fields)
    return Side(title=title, run=run, attachments=attachments)


def rules(*sides: Side) -> set[str]:
    return {difference.rule for difference in check_conditions(sides)}


def test_equal_conditions_say_nothing() -> None:
    same = {"sampling": {"temperature": 0.7, "max_tokens": 100}, "n_ctx": 4096, "system_prompt": "Be brief."}
    assert rules(side("A", **same), side("B", **same)) == set()
    assert rules(side("A", dropped_messages=3)) == set()


@pytest.mark.parametrize(
    ("rule", "one", "other"),
    [
        ("truncation", {"dropped_messages": 2}, {}),
        ("cut_answers", {"finish_reason": "length"}, {}),
        ("token_limits", {"sampling": {"max_tokens": 100}, "completion_tokens": 70}, {"sampling": {}}),
        ("context_limits", {"n_ctx": 1024, "prompt_tokens": 600}, {"n_ctx": 8192, "prompt_tokens": 600}),
        ("not_as_asked", {"conditions": ["Ignored: top_k."]}, {}),
        ("attachments", {"attachments": 1}, {}),
        ("model_versions", {"model": "m", "model_version": "m-1"}, {"model": "m", "model_version": "m-2"}),
        ("system_prompts", {"system_prompt": "Be brief."}, {}),
        ("reasoning", {"request": {"reasoning": {"effort": "high"}}}, {}),
        ("reasoning_used", {"reasoning_tokens": 50}, {}),
        ("response_format", {"request": {"response_format": {"kind": "json_object"}}}, {}),
        ("tools", {"request": {"tools": [{"name": "t"}]}}, {}),
        ("sampling", {"sampling": {"temperature": 0.2}}, {"sampling": {"temperature": 0.9}}),
        ("seeds", {"seed": None}, {}),
        (
            "chat_templates",
            {"gguf_sha256": "f", "chat_template_sha256": "1"},
            {"gguf_sha256": "f", "chat_template_sha256": "2"},
        ),
        ("failures", {"status": "failed"}, {}),
    ],
)
def test_each_rule_finds_its_difference_and_only_that(rule: str, one: dict, other: dict) -> None:
    assert rules(side("A", **one), side("B", **other)) == {rule}
    assert rules(side("A", **one), side("B", **one)) - {"not_as_asked", "truncation"} == set()


def test_every_rule_has_a_case_above() -> None:
    assert len(RULES) == 15


def test_a_small_context_that_was_not_needed_is_no_difference() -> None:
    assert rules(side("A", n_ctx=1024, prompt_tokens=50), side("B", n_ctx=8192, prompt_tokens=50)) == set()


def test_a_token_limit_that_was_far_away_is_no_difference() -> None:
    limited = {"sampling": {"max_tokens": 32000}, "completion_tokens": 300}
    assert rules(side("A", **limited), side("B", completion_tokens=400)) == set()


def test_warnings_come_first_and_name_the_column() -> None:
    found = check_conditions([side("A", dropped_messages=2, system_prompt="x"), side("B")])
    assert [difference.severity for difference in found] == ["warning", "note"]
    assert found[0].message.startswith("A did not see the whole conversation: 2 messages")


def test_a_column_that_did_not_answer_at_all_is_told_apart() -> None:
    found = check_conditions([side("A", text="All."), side("B", status="failed"), side("C", status="failed", text="P")])
    assert [difference.message for difference in found] == [
        "C did not finish; what stands there is a part of an answer.",
        "B did not answer.",
    ]
