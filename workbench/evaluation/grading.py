"""Applies an evaluation's graders to its answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from workbench.core.errors import BadInput, WorkbenchError
from workbench.evaluation.answers import Answer, GradeRecord
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

    def check(self) -> None:
        """Raises BadInput for a grader that does not exist."""
        wanted = {spec.grader for specs in (self._specs, *self._by_case.values()) for spec in specs}
        unknown = sorted(wanted - self._graders.keys())
        if unknown:
            raise BadInput(
                f"There is no grader called {', '.join(unknown)}.",
                hint=f"There are: {', '.join(sorted(self._graders))}.",
            )

    def graded(self, answer: Answer, case: TestCase) -> Answer:
        """The answer with its grades. A grader that can't judge makes it an error, never a wrong answer."""
        if answer.error:
            return answer
        grades = []
        for spec in self._by_case.get(case.id, self._specs):
            try:
                grade = _grade(self._graders[spec.grader], answer.text, spec, case)
            except WorkbenchError as error:
                return msgspec.structs.replace(answer, error=f"Not graded: {error}")
            except Exception as error:  # a plugin's bug
                return msgspec.structs.replace(
                    answer, error=f"Not graded: the grader {spec.grader} failed with {type(error).__name__}: {error}"
                )
            if not 0 <= grade.score <= 1:
                return msgspec.structs.replace(
                    answer, error=f"Not graded: the grader {spec.grader} gave {grade.score}, outside 0 to 1."
                )
            grades.append(GradeRecord.of(spec.grader, spec.weight, grade))
        return msgspec.structs.replace(answer, grades=tuple(grades))


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
