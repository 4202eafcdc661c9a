"""Test cases: what is asked, what is expected, and how a set is split into a working and a sealed part."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from workbench.core.errors import BadInput
from workbench.core.messages import Message, Part, TextPart

NEAR_DUPLICATE = 90
"""Similarity in percent (rapidfuzz token-sort ratio) from which two cases count as nearly the same."""


class TestCase(msgspec.Struct, frozen=True, kw_only=True):
    """One case. It has variables for the prompt's template, or whole messages, or both."""

    __test__ = False  # not a test class, whatever pytest thinks of its name

    id: str
    variables: dict[str, Any] = {}
    messages: tuple[Message, ...] = ()
    expected: Any = None
    tags: tuple[str, ...] = ()
    cluster: str | None = None
    """The document or conversation it comes from; cases of one cluster are not independent evidence."""
    weight: float = 1.0
    sealed: bool = False

    @property
    def text(self) -> str:
        """What makes this case itself: the values and messages that go into the prompt."""
        return "\n".join([*(str(value) for value in self.variables.values()), *(m.text for m in self.messages)])


def with_attachments(case: TestCase) -> tuple[tuple[Message, ...], tuple[Part, ...]]:
    """(the messages before the prompt, the files that go with the prompt): these stand as a user message without
    text at the end of the case's messages."""
    last = case.messages[-1] if case.messages else None
    if last is None or last.role != "user" or any(isinstance(part, TextPart) for part in last.parts):
        return case.messages, ()
    return case.messages[:-1], last.parts


class NearDuplicate(msgspec.Struct, frozen=True):
    working: str
    sealed: str
    similarity: float
    """0 to 100."""


def split(cases: Sequence[TestCase], sealed_share: float, seed: int = 0) -> list[TestCase]:
    """Mark about `sealed_share` (0 to 1) of the cases as sealed.

    Decided by a hash of each cluster (or case), so that a cluster stays together and adding cases later moves none.
    """
    if not 0 <= sealed_share <= 1:
        raise BadInput("The sealed share must be between 0 and 1.")
    return [
        msgspec.structs.replace(case, sealed=_fraction(case.cluster or case.id, seed) < sealed_share) for case in cases
    ]


def near_duplicates(cases: Sequence[TestCase], threshold: float = NEAR_DUPLICATE) -> list[NearDuplicate]:
    """Pairs across the split that are nearly the same: whoever tuned on one has seen the other."""
    from rapidfuzz import fuzz, process, utils  # noqa: PLC0415  only test-set editing needs it

    working = [case for case in cases if not case.sealed]
    sealed = [case for case in cases if case.sealed]
    texts = [utils.default_process(case.text) for case in working]
    pairs = []
    for case in sealed:
        hits = process.extract(
            utils.default_process(case.text), texts, scorer=fuzz.token_sort_ratio, score_cutoff=threshold, limit=3
        )
        pairs += [NearDuplicate(working[index].id, case.id, round(score, 1)) for _, score, index in hits]
    return pairs


def with_unique_ids(cases: Iterable[TestCase]) -> list[TestCase]:
    """Cases whose ids are unique; a repeated id is an error of the file, an empty one is numbered."""
    result: list[TestCase] = []
    seen: set[str] = set()
    numbers = (f"case-{n}" for n in itertools.count(1))
    for case in cases:
        if not case.id:
            case = msgspec.structs.replace(case, id=next(n for n in numbers if n not in seen))
        if case.id in seen:
            raise BadInput(f"The case id {case.id!r} stands twice in the test set.")
        seen.add(case.id)
        result.append(case)
    return result


def _fraction(key: str, seed: int) -> float:
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
