"""Applies an evaluation's graders to its answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from workbench.core.errors import BadInput, WorkbenchError
from workbench.evaluation.answers import Answer, GradeRecord
from workbench.evaluation.asking import NotNow
from workbench.evaluation.cases import TestCase
from workbench.evaluation.prompts import render
from workbench.evaluation.spec import GraderSpec
from workbench.hookspecs import Grade, GraderPlugin


class Grading:
    """The graders of one evaluation. Thread-safe as far as the graders are."""

    def __init__(
        self,
        specs: Sequence[GraderSpec],
        graders: Sequence[GraderPlugin],
        *,
        by_case: dict[str, tuple[GraderSpec, ...]] | None = None,
    ) -> None:
        """`by_case`: graders of single cases, in place of the general ones."""
        self._specs = tuple(specs)
        self._by_case = by_case or {}
        self._graders = {grader.name: grader for grader in graders}

    def check(self, *, baseline: bool = True) -> None:
        """Raises BadInput for a grader that does not exist, or can't be used so."""
        names = self._names()
        unknown = sorted(names - self._graders.keys())
        if unknown:
            raise BadInput(
                f"There is no grader called {', '.join(unknown)}.",
                hint=f"There are: {', '.join(sorted(self._graders))}.",
            )
        for name in names:
            alone = getattr(self._graders[name], "pairs", False) or getattr(self._graders[name], "waits", False)
            if alone and (len(self._specs) > 1 or self._by_case):
                raise BadInput(f"The grader '{name}' stands alone: take the other graders out.")
        if self.pairwise is not None and not baseline:
            raise BadInput("The grader 'pairwise' needs a baseline to compare with.")

    def _names(self) -> set[str]:
        return {spec.grader for specs in (self._specs, *self._by_case.values()) for spec in specs}

    @property
    def asks_models(self) -> bool:
        """Whether a grader is a model's work: such answers are graded when all are there, so that two local models
        do not push each other out of memory."""
        return any(getattr(self._graders.get(name), "asks_model", False) for name in self._names())

    @property
    def pairwise(self) -> tuple[Any, GraderSpec] | None:
        """The grader that compares two answers, and its options."""
        for spec in self._specs:
            grader = self._graders.get(spec.grader)
            if getattr(grader, "pairs", False):
                return grader, spec
        return None

    def use(self, ask: Callable[..., str]) -> None:
        """Let judges ask through `ask`."""
        for grader in self._graders.values():
            if hasattr(grader, "ask"):
                grader.ask = ask

    def graded(self, answer: Answer, case: TestCase, vote: float | None = None) -> Answer:
        """The answer with its grades. A grader that can't judge makes it an error, never a wrong answer. `vote`: the
        user's own judgement, where there is one. Raises NotNow."""
        if answer.error:
            return answer
        grades = []
        for name, spec in _named(self._by_case.get(case.id, self._specs)):
            grader = self._graders[spec.grader]
            if getattr(grader, "pairs", False):
                continue
            if getattr(grader, "waits", False):
                grades += [GradeRecord(grader=spec.grader, score=vote, weight=spec.weight)] if vote is not None else []
                continue
            grade, problem = self._try(lambda g=grader, s=spec: _grade(g, answer.text, s, case), spec)  # type: ignore[misc]
            if grade is None:
                return msgspec.structs.replace(answer, error=problem)
            grades.append(GradeRecord.of(name, spec.weight, grade))
        return msgspec.structs.replace(answer, grades=tuple(grades))

    def graded_pair(self, candidate: Answer, baseline: Answer, case: TestCase) -> Answer:
        """The candidate's answer, graded against the baseline's. Raises NotNow."""
        assert self.pairwise is not None
        grader, spec = self.pairwise
        grade, problem = self._try(lambda: grader.grade_pair(candidate.text, baseline.text, spec.options, case), spec)
        if grade is None:
            return msgspec.structs.replace(candidate, error=problem)
        return msgspec.structs.replace(candidate, grades=(GradeRecord.of(spec.grader, spec.weight, grade),))

    def _try(self, work: Callable[[], Grade], spec: GraderSpec) -> tuple[Grade | None, str]:
        """(the grade, what is wrong)."""
        try:
            grade = work()
        except NotNow:
            raise
        except WorkbenchError as error:
            return None, f"Not graded: {error}"
        except Exception as error:  # a plugin's bug
            return None, f"Not graded: the grader {spec.grader} failed with {type(error).__name__}: {error}"
        if not 0 <= grade.score <= 1:
            return None, f"Not graded: the grader {spec.grader} gave {grade.score}, outside 0 to 1."
        return grade, ""


def _named(specs: Sequence[GraderSpec]) -> list[tuple[str, GraderSpec]]:
    """Each grader with a name of its own: two of one kind are two grades."""
    seen: Counter[str] = Counter()
    named = []
    for spec in specs:
        seen[spec.grader] += 1
        named.append((spec.grader if seen[spec.grader] == 1 else f"{spec.grader} {seen[spec.grader]}", spec))
    return named


def _grade(grader: GraderPlugin, answer: str, spec: GraderSpec, case: TestCase) -> Grade:
    """A grader with `grade_case` is given the case too: a judge has to know what was asked."""
    whole: Callable[..., Grade] | None = getattr(grader, "grade_case", None)
    if whole is not None:
        return whole(answer, expected_of(spec, case), spec.options, case)
    return grader.grade(answer, expected_of(spec, case), spec.options)


def expected_of(spec: GraderSpec, case: TestCase) -> Any:
    """What the grader compares with: its own expectation (texts are templates) before the case's."""
    if spec.expected is None:
        return case.expected
    return _rendered(spec.expected, case.variables)


def _rendered(value: Any, variables: dict[str, Any]) -> Any:
    if isinstance(value, str):
        return render(value, variables)
    if isinstance(value, list):
        return [_rendered(item, variables) for item in value]
    return value
