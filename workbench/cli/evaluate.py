"""`workbench eval`: run an evaluation file and say what came out, for people and for CI."""

from __future__ import annotations

import math
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import click
import msgspec

from workbench.cli.context import Workbench
from workbench.cli.output import Progress, print_json, print_table, write
from workbench.core.errors import BadInput
from workbench.evaluation.analysis import Analysis, analyse
from workbench.evaluation.answers import HUMAN, Answer
from workbench.evaluation.decision import Decision, Estimate, decide, estimate_run
from workbench.evaluation.exports import report_of
from workbench.evaluation.findings import best_first, comparison_warnings, settling, smallest, unjudged
from workbench.evaluation.grading import Grading
from workbench.evaluation.model_graders import model_graders
from workbench.evaluation.promptfoo import looks_like_promptfoo, read_promptfoo
from workbench.evaluation.recorded import freeze
from workbench.evaluation.running import Evaluation
from workbench.evaluation.running import Progress as EvaluationProgress
from workbench.evaluation.spec import EvalSpec, read_spec
from workbench.evaluation.verdict import detail, headline, sentence
from workbench.store import now

EXIT_FAILED, EXIT_NOT_PASSED, EXIT_CANCELLED = 1, 3, 130

EPILOG = """\b
The file (YAML or JSON) names what is compared; only models and cases are needed:
  name, notes       texts for the report
  models            ids, or objects: model, label, system, examples, sampling, response_format, reasoning,
                    load;
                    or recorded: FILE.jsonl with answers frozen earlier
  baseline          one of the same; what the models shall replace
  prompts           templates over the cases' variables: "{{ question }}", or objects: name, text, system, examples
  cases             a list, or a CSV, JSONL, YAML or Excel file: variables, expected, tags, cluster,
                    weight, sealed, messages, attachments (files beside it)
  graders           names, or objects: grader, options, expected, weight; names are exact, normalised, contains, regex,
                    numeric, json_schema, json_fields, python_code, similarity, judge, pairwise, human, and plugins'
  case_graders      graders of single cases, by the case's id
  margin            points of 100 that the models may be worse (5)
  repeats, seed     answers for each case (1); the first one's seed
  part              all, working or sealed
  rule              replaceable (needs a baseline), or not_worse_than_rate with min_rate
  require           all models must pass, or any; where counting failed answers as wrong would turn a pass, it is none
  budget            usd and tokens: hard limits for remote models
  reuse_answers     answer identical requests from the database (true)
A promptfoo configuration is taken as far as it has a counterpart; the rest is named.

\b
Exit codes: 0 passed by the file's rule, 3 not replaceable or not enough evidence, 1 the work failed,
2 bad input, 130 stopped (go on with --resume ID).
"""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What `--json` prints."""

    evaluation: str
    status: str
    passed: bool
    by_model: dict[str, bool]
    sentences: list[str]
    estimate: Estimate
    progress: EvaluationProgress
    analysis: Analysis
    not_taken: list[str]
    answers: list[Answer]


@click.command("eval", epilog=EPILOG)
@click.option("--resume", metavar="ID", help="Go on with an evaluation that was stopped or killed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with verdicts, rates and every answer.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write the report as one HTML file.")
@click.option(
    "--freeze",
    "freeze_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the baseline's answers as JSONL, to be named as `recorded` later.",
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def evaluate(resume: str | None, as_json: bool, report: Path | None, freeze_path: Path | None, file: Path) -> int:
    """Run an evaluation FILE: can these models replace the baseline for my task?"""
    spec, not_taken = _read(file)
    progress = Progress()
    with Workbench() as workbench:
        estimated = estimate_run(spec, lambda model_id: workbench.catalog.get(model_id).info)
        _announce(spec, estimated, not_taken, progress)
        graders = [*workbench.plugins.graders(), *model_graders(workbench.catalog)]
        grading = Grading(spec.graders, graders, by_case=spec.case_graders)
        evaluation = Evaluation(
            spec, workbench.store, workbench.runner, workbench.catalog, grading, folder=file.absolute().parent
        )
        evaluation.on_progress = lambda at: progress.show(_line(at))
        row = _run(evaluation, resume)
        progress.clear()
        analysis = analyse(evaluation.answers, spec.baseline.name if spec.baseline else None, spec.margin / 100)
        decision = decide(spec, analysis)
        if report is not None:
            _write(report, report_of(workbench.store, row, spec, evaluation.answers))
        if freeze_path is not None:
            _freeze(spec, evaluation.answers, freeze_path)
        outcome = Outcome(
            evaluation=row.id,
            status=row.status,
            passed=decision.passed,
            by_model=decision.by_model,
            sentences=[sentence(c.verdict, c.candidate[0], c.baseline[0]) for c in analysis.comparisons],
            estimate=estimated,
            progress=evaluation.progress(),
            analysis=analysis,
            not_taken=not_taken,
            answers=evaluation.answers,
        )
    if as_json:
        print_json(outcome)
    else:
        _print(spec, outcome, decision)
    return _exit_code(outcome)


def _read(file: Path) -> tuple[EvalSpec, list[str]]:
    if looks_like_promptfoo(file):
        imported = read_promptfoo(file)
        return imported.spec, list(imported.not_taken)
    return read_spec(file), []


def _run(evaluation: Evaluation, resume: str | None) -> Any:
    """Run it; Ctrl+C stops it in order, a second one at once."""
    if threading.current_thread() is not threading.main_thread():
        return evaluation.run(resume)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        evaluation.stop()

    before = signal.signal(signal.SIGINT, stop)
    try:
        return evaluation.run(resume)
    finally:
        signal.signal(signal.SIGINT, before)


def _announce(spec: EvalSpec, estimated: Estimate, not_taken: list[str], progress: Progress) -> None:
    for item in not_taken:
        progress.say(f"Not taken: {item}", always=True)
    sent = estimated.remote_answers + estimated.judgements
    if sent:
        cost = "at an unknown price" if estimated.usd is None else f"at most about ${estimated.usd:.2f}"
        progress.say(
            f"{sent} prompts will leave this machine, {cost}, about {estimated.remote_tokens:,} tokens.",
            always=True,
        )
    if estimated.limited_to:
        tokens = " or ".join(f"{limit:,}" for limit in estimated.limited_to)
        progress.say(
            f"So that the budget holds, answers without a token limit get one of {tokens} tokens.",
            always=True,
        )
    if spec.rule == "replaceable" and estimated.cases < estimated.cases_needed:
        progress.say(
            f"{estimated.cases} cases are few for a margin of {spec.margin:g} points: about {estimated.cases_needed} "
            "would be needed if 15 % of them turn out differently.",
            always=True,
        )


def _line(at: EvaluationProgress) -> str:
    remaining = "" if at.remaining_s is None else f", about {at.remaining_s:.0f} s left"
    errors = f", {at.errors} errors" if at.errors else ""
    spent = f", ${at.spent_usd:.3f} spent" if at.spent_usd else ""
    return f"{at.done} of {at.total} answers{errors}{spent}{remaining}"


def _print(spec: EvalSpec, outcome: Outcome, decision: Decision) -> None:
    analysis = outcome.analysis
    for comparison in best_first(analysis.comparisons):
        names = comparison.candidate[0], comparison.baseline[0]
        said = headline(comparison.verdict, *names), detail(comparison.verdict, *names)
        more = settling(comparison, analysis.arms), *comparison_warnings(comparison, analysis.arms)
        write(" ".join(filter(None, (*said, *more))) + "\n\n")
    if smallest(analysis):
        write(smallest(analysis) + "\n\n")
    waiting = unjudged(analysis.arms) if any(grader.grader == HUMAN for grader in spec.graders) else 0
    if waiting:
        write(f"{waiting} answers wait for your judgement: open the evaluation in the window, “Judge blind”.\n")
    rows = [
        (
            arm.contestant,
            arm.prompt,
            "-" if math.isnan(arm.rate.estimate) else f"{arm.rate.estimate:.1%}",
            "-" if math.isnan(arm.rate.estimate) else f"{max(0.0, arm.rate.low):.1%} to {min(1.0, arm.rate.high):.1%}",
            str(arm.answered),
            str(arm.errors),
            "-" if arm.latency_median_s is None else f"{arm.latency_median_s:.2f} s",
            "unknown" if arm.cost_per_1000_usd is None else f"${arm.cost_per_1000_usd:.2f}",
        )
        for arm in outcome.analysis.arms
    ]
    print_table(("Model", "Prompt", "Score", "95 % interval", "Cases", "Errors", "Median", "Cost of 1,000"), rows)
    errors = sorted({answer.error for answer in outcome.answers if answer.error})
    for error in errors[:5]:
        write(f"Error: {error}\n")
    verdicts = ", ".join(f"{name} {'passes' if good else 'does not pass'}" for name, good in decision.by_model.items())
    write(f"\n{spec.name}: {verdicts}. Evaluation {outcome.evaluation}, {outcome.status.replace('_', ' ')}.\n")


def _freeze(spec: EvalSpec, answers: list[Answer], path: Path) -> None:
    if spec.baseline is None:
        raise BadInput("There is no baseline to freeze in this evaluation.")
    _write(path, freeze([a for a in answers if a.contestant == spec.baseline.name], now()))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path} can't be written: {error.strerror}.") from None


def _exit_code(outcome: Outcome) -> int:
    if outcome.status == "stopped":
        return EXIT_CANCELLED
    if outcome.status != "done" or all(answer.error for answer in outcome.answers):
        return EXIT_FAILED
    return 0 if outcome.passed else EXIT_NOT_PASSED
