"""The user's own blind judgements: the queue, where they are kept, and how far a grader agrees with them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from workbench.evaluation.answers import HUMAN, SEPARATOR, Answer, Place
from workbench.evaluation.intervals import Interval
from workbench.evaluation.judge_model import cohen_kappa, prediction_powered_mean
from workbench.evaluation.stored import WRONG_BELOW, Line
from workbench.store import ResultRow, Store, case_row_id

FEW_VOTES = 30
"""Below this many votes kappa says little."""


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """One grader against the user's votes."""

    grader: str
    votes: int
    agreement: float
    """Share of the votes where grader and user say the same (right or wrong)."""
    kappa: float
    corrected: dict[str, Interval]
    """By contestant: the mean score, the grader's error on the voted answers taken out (prediction-powered)."""


def place_of(line: Line) -> Place:
    return line.case, line.contestant, line.prompt, line.repeat


def queue(lines: Iterable[Line], votes: Mapping[Place, float], seed: str) -> list[Line]:
    """Answers without a vote, in an order that tells nothing about who wrote them."""
    waiting = [line for line in lines if not line.error and place_of(line) not in votes]
    return sorted(waiting, key=lambda line: hashlib.sha256(repr((seed, place_of(line))).encode()).digest())


def read_votes(results: Iterable[ResultRow]) -> dict[Place, float]:
    """The user's judgements among an evaluation's results."""
    votes = {}
    for row in results:
        if row.grader == HUMAN and row.score is not None:
            contestant, _, prompt = row.variant.partition(SEPARATOR)
            votes[row.test_case_id.partition(":")[2], contestant, prompt, row.repeat] = row.score
    return votes


def save_vote(
    store: Store, evaluation_id: str, test_set_id: str, line: Line, model: str, score: float, *, decides: bool = False
) -> None:
    """Keep a vote beside the answer; a later one takes its place. `decides`: it is the answer's score."""
    row = ResultRow(
        evaluation_id=evaluation_id,
        test_case_id=case_row_id(test_set_id, line.case),
        model=model,
        variant=f"{line.contestant}{SEPARATOR}{line.prompt}",
        repeat=line.repeat,
        grader=HUMAN,
        run_id=line.run_id or None,
        score=score,
        status="graded",
    )
    store.save_results([row])
    if decides:
        store.set_score(row, score)


def calibrate(answers: Sequence[Answer], votes: Mapping[Place, float]) -> list[Calibration]:
    """Every grader that judged answers the user judged too."""
    result = []
    graders = dict.fromkeys(grade.grader for answer in answers for grade in answer.grades)
    for grader in graders:
        if grader == HUMAN:
            continue
        scores: dict[Place, float] = {}
        for answer in answers:
            for grade in answer.grades:
                if grade.grader == grader:
                    scores[answer.case_id, answer.contestant, answer.prompt, answer.repeat] = grade.score
        labelled = [place for place in scores if place in votes]
        if not labelled:
            continue
        ours = [scores[place] >= WRONG_BELOW for place in labelled]
        theirs = [votes[place] >= WRONG_BELOW for place in labelled]
        result.append(
            Calibration(
                grader=grader,
                votes=len(labelled),
                agreement=sum(a == b for a, b in zip(ours, theirs, strict=True)) / len(labelled),
                kappa=cohen_kappa(ours, theirs),
                corrected=_corrected(scores, votes),
            )
        )
    return result


def _corrected(scores: Mapping[Place, float], votes: Mapping[Place, float]) -> dict[str, Interval]:
    corrected = {}
    for contestant in dict.fromkeys(place[1] for place in scores):
        own = [place for place in scores if place[1] == contestant]
        labelled = [place for place in own if place in votes]
        if len(labelled) >= 2:
            corrected[contestant] = prediction_powered_mean(
                [scores[place] for place in own],
                [scores[place] for place in labelled],
                [votes[place] for place in labelled],
            )
    return corrected
