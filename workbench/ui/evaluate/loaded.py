"""An evaluation as the results view needs it, read in a worker."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from workbench.evaluation.analysis import Analysis, Arm, analyse
from workbench.evaluation.answers import HUMAN
from workbench.evaluation.findings import conditions_of, outcomes_of
from workbench.evaluation.human import Calibration, calibrate, read_votes
from workbench.evaluation.plots import durations_of
from workbench.evaluation.spec import EvalSpec
from workbench.evaluation.stored import Line, read_answers, read_lines, read_spec_of
from workbench.store import EvaluationRow, Store


@dataclass(slots=True)
class Loaded:
    row: EvaluationRow
    spec: EvalSpec
    analysis: Analysis | None = None
    """None until it has been computed."""
    lines: list[Line] = field(default_factory=list)
    by_case: dict[str, list[Line]] = field(default_factory=dict)
    arms: list[tuple[str, str]] = field(default_factory=list)
    """(contestant, prompt), as they first come."""
    durations: dict[Arm, list[float]] = field(default_factory=dict)
    """Seconds that answers took, sorted."""
    conditions: list[str] = field(default_factory=list)
    judges: list[tuple[str, bool, int]] = field(default_factory=list)
    """(model, whether its questions left the machine, how many) of the models that judged."""


def load_head(store: Store, evaluation_id: str) -> Loaded | None:
    """What opens at once: the evaluation and the lines of its table. Raises WorkbenchError."""
    row = store.evaluation(evaluation_id)
    if row is None:
        return None
    loaded = Loaded(row, read_spec_of(row), None, read_lines(store, evaluation_id))
    for line in loaded.lines:
        loaded.by_case.setdefault(line.case, []).append(line)
    loaded.arms = list(dict.fromkeys((line.contestant, line.prompt) for line in loaded.lines))
    return loaded


def load_analysis(store: Store, loaded: Loaded) -> tuple[Analysis, list[Calibration]]:
    """The verdicts, and how far the graders agree with the user's blind votes."""
    spec = loaded.spec
    answers = read_answers(store, loaded.row, spec)
    loaded.conditions = conditions_of(store, loaded.row, spec, answers)
    loaded.durations = durations_of(answers)
    loaded.judges = store.judges_asked(loaded.row.id)
    analysis = analyse(answers, spec.baseline.name if spec.baseline else None, spec.margin / 100)
    outcomes = outcomes_of(analysis)
    if any(grader.grader == HUMAN for grader in spec.graders) and outcomes != loaded.row.summary.get("outcomes"):
        summary = {**loaded.row.summary, "outcomes": outcomes}  # the user has judged since it ended
        loaded.row = store.save_evaluation(msgspec.structs.replace(loaded.row, summary=summary))
    return analysis, calibrate(answers, read_votes(store.results(loaded.row.id)))
