"""Test sets as the store keeps them, as values of this package: read, changed and written whole."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import msgspec

from workbench.core.messages import Message
from workbench.evaluation.cases import TestCase
from workbench.evaluation.spec import PromptSpec
from workbench.store import Store, TestCaseRow, TestSetRow, case_row_id, new_id

DEFAULT_PROMPT = PromptSpec(name="prompt", text="{{ prompt }}")


class TestSet(msgspec.Struct, frozen=True, kw_only=True):
    """A set with its cases and its prompts, the newest version of each."""

    __test__ = False

    id: str
    name: str
    cases: tuple[TestCase, ...] = ()
    prompts: tuple[PromptSpec, ...] = (DEFAULT_PROMPT,)
    sealed_openings: int = 0


class PromptVersion(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    prompt: PromptSpec
    created_at: str


def new_test_set(name: str, cases: Sequence[TestCase] = (), prompts: Sequence[PromptSpec] = ()) -> TestSet:
    return TestSet(id=new_id(), name=name, cases=tuple(cases), prompts=tuple(prompts) or (DEFAULT_PROMPT,))


def load_test_set(store: Store, id: str) -> TestSet | None:
    row = store.test_set(id)
    if row is None:
        return None
    newest: dict[str, PromptSpec] = {}
    removed: set[str] = set()
    for template in store.prompt_templates(id):
        if template.name not in newest and template.name not in removed:
            if template.messages:
                newest[template.name] = _prompt(template.name, template.messages)
            else:
                removed.add(template.name)
    return TestSet(
        id=id,
        name=row.name,
        cases=tuple(case_of(case) for case in store.test_cases(id)),
        prompts=tuple(newest.values()) or (DEFAULT_PROMPT,),
        sealed_openings=len(store.sealed_openings(id)),
    )


def save_test_set(store: Store, test_set: TestSet) -> None:
    """Cases and prompts; a prompt that changed becomes a new version of itself, one that was removed an empty one, so
    that its earlier versions stay."""
    old = store.test_set(test_set.id)
    before = load_test_set(store, test_set.id) if old is not None else None
    row = TestSetRow(id=test_set.id, name=test_set.name, created_at=old.created_at if old else "")
    store.save_test_set(row, [row_of_case(test_set.id, i, case) for i, case in enumerate(test_set.cases)])
    for prompt in test_set.prompts:
        store.save_prompt_template(test_set.id, prompt.name, _messages(prompt))
    kept = {prompt.name for prompt in test_set.prompts}
    earlier = {prompt.name for prompt in before.prompts} if before is not None else set()
    for template in store.prompt_templates(test_set.id) if earlier - kept else ():
        if template.name not in kept and template.messages and template.name in earlier:
            store.save_prompt_template(test_set.id, template.name, [])
            kept.add(template.name)


def prompt_versions(store: Store, test_set_id: str, name: str) -> list[PromptVersion]:
    """Newest first."""
    return [
        PromptVersion(version=row.version, prompt=_prompt(row.name, row.messages), created_at=row.created_at)
        for row in store.prompt_templates(test_set_id)
        if row.name == name and row.messages
    ]


def add_case(store: Store, test_set_id: str, case: TestCase) -> TestSet | None:
    """Append one case, as “add to test set” in a chat or in History does. None where the set is gone."""
    test_set = load_test_set(store, test_set_id)
    if test_set is None:
        return None
    changed = msgspec.structs.replace(test_set, cases=(*test_set.cases, with_free_id(case, test_set.cases)))
    save_test_set(store, changed)
    return changed


def with_free_id(case: TestCase, others: Sequence[TestCase]) -> TestCase:
    """The case with an id that none of the others has."""
    taken = {other.id for other in others}
    if case.id and case.id not in taken:
        return case
    number = len(others) + 1
    while f"case-{number}" in taken:
        number += 1
    return msgspec.structs.replace(case, id=f"case-{number}")


def case_of(row: TestCaseRow) -> TestCase:
    return TestCase(
        id=row.name,
        variables=row.variables,
        messages=tuple(msgspec.convert(message, Message) for message in row.messages),
        expected=row.expected.get("value"),
        tags=tuple(row.tags),
        cluster=row.cluster or None,
        weight=row.weight,
        sealed=row.split == "sealed",
    )


def row_of_case(test_set_id: str, position: int, case: TestCase) -> TestCaseRow:
    return TestCaseRow(
        id=case_row_id(test_set_id, case.id),
        test_set_id=test_set_id,
        position=position,
        name=case.id,
        split="sealed" if case.sealed else "working",
        cluster=case.cluster or "",
        weight=case.weight,
        tags=list(case.tags),
        variables=case.variables,
        messages=msgspec.to_builtins(case.messages),
        expected={"value": case.expected},
    )


def to_json_lines(cases: Sequence[TestCase]) -> str:
    """The cases as a file that `read_cases` reads back."""
    lines = []
    for case in cases:
        item: dict[str, Any] = {"id": case.id, "variables": case.variables, "expected": case.expected}
        item |= {"tags": list(case.tags), "cluster": case.cluster, "weight": case.weight, "sealed": case.sealed}
        if case.messages:
            item["messages"] = msgspec.to_builtins(case.messages)
        lines.append(json.dumps(item, ensure_ascii=False))
    return "\n".join(lines) + "\n"


def to_csv(cases: Sequence[TestCase]) -> str:
    """One column for each variable. Messages do not fit into a table and stand as JSON."""
    names = list(dict.fromkeys(name for case in cases for name in case.variables))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    with_messages = any(case.messages for case in cases)
    head = ["id", *names, "expected", "tags", "cluster", "weight", "sealed"]
    writer.writerow([*head, "messages"] if with_messages else head)
    for case in cases:
        values = [case.variables.get(name, "") for name in names]
        expected = "" if case.expected is None else case.expected
        line = [case.id, *values, expected, ", ".join(case.tags), case.cluster or "", case.weight, int(case.sealed)]
        messages = msgspec.json.encode(case.messages).decode() if case.messages else ""
        writer.writerow([*line, messages] if with_messages else line)
    return text.getvalue()


def _messages(prompt: PromptSpec) -> list[dict[str, str]]:
    messages = [{"role": "system", "text": prompt.system}] if prompt.system else []
    for example in prompt.examples:
        messages.append({"role": "example_user", "text": example.get("user", "")})
        messages.append({"role": "example_assistant", "text": example.get("assistant", "")})
    return [*messages, {"role": "user", "text": prompt.text}]


def _prompt(name: str, messages: Sequence[dict[str, str]]) -> PromptSpec:
    def texts(role: str) -> list[str]:
        return [message["text"] for message in messages if message.get("role") == role]

    pairs = zip(texts("example_user"), texts("example_assistant"), strict=False)
    return PromptSpec(
        name=name,
        text="".join(texts("user")),
        system="".join(texts("system")),
        examples=tuple({"user": user, "assistant": assistant} for user, assistant in pairs),
    )
