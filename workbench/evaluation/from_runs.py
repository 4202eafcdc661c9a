"""Test cases from answers that were logged: “add to test set” in a chat, a comparison or History."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from workbench.core.messages import Attachment, AudioPart, FilePart, ImagePart, Message, Part, TextPart
from workbench.core.runs import RunRecord
from workbench.evaluation.cases import TestCase
from workbench.evaluation.test_sets import TestSet, load_test_set, new_test_set, save_test_set, with_free_id
from workbench.store import Store

PROMPT = "prompt"
"""The variable that holds what was asked; a new set's template shows it."""


def cases_from_runs(
    store: Store, run_ids: Sequence[str], *, with_expected: bool, with_system: bool = True
) -> list[TestCase]:
    """One case for each run whose prompt is in the database; the same question once.

    `with_expected`: the answer becomes the expected value. Earlier turns, attachments and (with `with_system`) the
    system prompt become messages of the case. A conversation is a cluster: its cases are not independent. Raises
    StoreError, and BadInput for an attachment that is gone.
    """
    cases: list[TestCase] = []
    for run_id in run_ids:
        run = store.run(run_id)
        case = _case(store, run, with_expected, with_system) if run is not None else None
        if case is not None and all(_question(case) != _question(other) for other in cases):
            cases.append(case)
    sessions = [case.cluster for case in cases]
    return [
        case
        if sessions.count(case.cluster) > 1 or case.messages
        else msgspec.structs.replace(case, cluster=None)  # alone and a first turn: independent of all others
        for case in cases
    ]


def add_cases(store: Store, test_set_id: str, name: str, cases: Sequence[TestCase]) -> TestSet:
    """Append to a set; an empty id makes a new one called `name`. Raises StoreError."""
    test_set = load_test_set(store, test_set_id) if test_set_id else None
    if test_set is None:
        test_set = new_test_set(name)
    together = list(test_set.cases)
    for case in cases:
        together.append(with_free_id(case, together))
    changed = msgspec.structs.replace(test_set, cases=tuple(together))
    save_test_set(store, changed)
    return changed


def _question(case: TestCase) -> tuple[str, tuple[Message, ...]]:
    return str(case.variables.get(PROMPT, "")), case.messages


def _case(store: Store, run: RunRecord, with_expected: bool, with_system: bool) -> TestCase | None:
    path = _path(store, run)
    if not path or path[-1].role != "user":
        return None
    last = path[-1]
    text = "\n\n".join(part.text for part in last.parts if isinstance(part, TextPart))
    messages = [message for message in path[:-1] if message.role != "system"]
    if with_system and run.system_prompt.strip():
        messages.insert(0, Message.of("system", run.system_prompt))
    files = tuple(part for part in last.parts if not isinstance(part, TextPart))
    if files:
        messages.append(Message("user", files))
    return TestCase(
        id="",
        variables={PROMPT: text},
        messages=tuple(messages),
        expected=run.text.strip() if with_expected and run.text.strip() else None,
        cluster=f"conversation {run.session_id[-8:]}" if run.session_id else None,
    )


def _path(store: Store, run: RunRecord) -> list[Message]:
    """The messages above the answer, oldest first, with their attachments' bytes."""
    answer = store.message(run.message_id) if run.message_id else None
    path: list[Message] = []
    parent = answer.parent_id if answer is not None else None
    while parent is not None:
        stored = store.message(parent)
        if stored is None:
            break
        path.append(Message(stored.message.role, tuple(_loaded(store, part) for part in stored.message.parts)))
        parent = stored.parent_id
    return path[::-1]


def _loaded(store: Store, part: Part) -> Part:
    if isinstance(part, ImagePart | AudioPart | FilePart) and not part.attachment.data:
        data = store.attachment(part.attachment.sha256)
        whole: Attachment = msgspec.structs.replace(part.attachment, data=data)
        return msgspec.structs.replace(part, attachment=whole)
    return part
