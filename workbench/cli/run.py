"""`workbench run`: ask one or several models."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Sequence

import click
import msgspec

from workbench.cli.context import Workbench
from workbench.cli.options import SPECIAL, option_names, parse_options, with_defaults
from workbench.cli.output import Progress, print_json, write
from workbench.core.chat_options import ChatOptions
from workbench.core.errors import BadInput, error_class
from workbench.core.messages import Message
from workbench.core.models import ChatModel
from workbench.core.runs import RunRecord
from workbench.services.chat import automatic_title
from workbench.services.comparison import ColumnSpec, Gate
from workbench.services.run_buffer import Cursor, Delta
from workbench.services.runner import Run

EXIT_FAILED = 1
EXIT_CANCELLED = 130
POLL_S = 0.03
STOP_TIMEOUT_S = 5.0


def _wrapped(names: Iterable[str]) -> str:
    return textwrap.fill(", ".join(names), 94).replace("\n", "\n  ")


EPILOG = f"""\b
Options for -o:
  {_wrapped(option_names())}
\b
{chr(10).join(f"  {name}: {text}" for name, text in SPECIAL.items())}
  stop and logit_bias (TOKEN:BIAS) may be given several times.

\b
With --json one object comes to stdout when all answers are there:
  {{"session": ID of the session in the database, null with --no-log,
   "runs": [one object for each -m, in order]}}
Each run has all fields of the database's runs table:
  {_wrapped(RunRecord.__struct_fields__)}
finish_reason is stop, length, cancelled or failed; error is null, or an object with kind, message, hint and detail.
Times are ISO 8601 in UTC, durations seconds (_s), speeds tokens per second (_per_s). Unknown values are null.

\b
Exit codes: 0 all answered, 1 a model failed, 2 bad input (an option, a schema, a file that is no model, a prompt
that is too long), 130 stopped with Ctrl+C (what had come is kept).
"""


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What `--json` prints."""

    session: str | None
    runs: list[RunRecord]


@click.command(epilog=EPILOG)
@click.option(
    "-m",
    "--model",
    "model_ids",
    multiple=True,
    metavar="MODEL",
    help="Model to ask, as `workbench models` lists them; several to compare. Default: the settings' default_model.",
)
@click.option("-s", "--system", default="", metavar="TEXT", help="System prompt.")
@click.option("-o", "--option", "pairs", multiple=True, metavar="NAME=VALUE", help="Sampling and loading, see below.")
@click.option("--seed", type=int, metavar="N", help="Seed of the sampling: same seed, same answer.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with the complete records.")
@click.option("--no-log", is_flag=True, help="Keep nothing in the database.")
@click.argument("prompt")
def run(
    model_ids: tuple[str, ...],
    system: str,
    pairs: tuple[str, ...],
    seed: int | None,
    as_json: bool,
    no_log: bool,
    prompt: str,
) -> int:
    """Ask one or several models. The answer streams to stdout. PROMPT - reads it from stdin."""
    if seed is not None:
        pairs = (*pairs, f"seed={seed}")
    with Workbench(log_runs=not no_log) as workbench:
        options = parse_options(pairs, system_prompt=system, plugin_tools=lambda: workbench.plugins.tools())
        text = _prompt(prompt)
        settings = workbench.settings
        if workbench.settings_file.problem:
            click.echo(workbench.settings_file.problem, err=True)
        model_ids = model_ids or (settings.default_model,)
        models = [workbench.catalog.get(model_id) for model_id in model_ids]
        options = with_defaults(options, settings.engine.sampling)
        asking = _Asking(workbench, models, model_ids, options, Message.of("user", text), log=not no_log)
        return asking.answer(as_json=as_json)


def _prompt(prompt: str) -> str:
    if prompt == "-":
        try:
            prompt = sys.stdin.buffer.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise BadInput("The prompt on stdin is not UTF-8 text.") from error
    if not prompt.strip():
        raise BadInput("The prompt is empty.", hint='For example: workbench run "Why is the sky blue?"')
    return prompt


class _Asking:
    """One prompt to one or several models. Several are a comparison: remote ones are asked at the same time, local
    ones together where they fit in memory together."""

    def __init__(
        self,
        workbench: Workbench,
        models: list[ChatModel],
        model_ids: Sequence[str],
        options: ChatOptions,
        message: Message,
        *,
        log: bool,
    ) -> None:
        self._workbench = workbench
        self._models = models
        self._columns = [
            ColumnSpec(model=model_id, label=label, options=options)
            for model_id, label in zip(model_ids, _labels(models), strict=True)
        ]
        self._message = message
        self._log = log
        self._progress = Progress()
        self._runs: list[Run] = []
        self._several = len(models) > 1
        self.session_id: str | None = None

    def answer(self, *, as_json: bool) -> int:
        """Ask, print, and return the exit code."""
        interrupted = False
        try:
            self._start()
            for index in range(len(self._models)):
                self._follow(index, printing=not as_json)
        except KeyboardInterrupt:
            interrupted = True
            self._stop()
        if as_json:
            self._progress.clear()
            print_json(Answers(session=self.session_id, runs=[run.record for run in self._runs]))
        if interrupted:
            self._progress.say("Stopped.", always=True)
            return EXIT_CANCELLED
        return _exit_code([run.record for run in self._runs])

    def _start(self) -> None:
        if not self._log:
            self._start_unlogged()
            return
        store = self._workbench.store
        if store.read_only:
            raise BadInput(store.notice, hint="Ask with --no-log to keep nothing.")
        if self._several:
            turn = self._workbench.comparisons.start(self._columns, self._message)
            self._runs = turn.runs
            self.session_id = turn.comparison.session_id
            return
        column = self._columns[0]
        options = {"model": column.model, **msgspec.to_builtins(column.options)}
        self.session_id = store.create_session(title=automatic_title(self._message), options=options).id
        request = column.options.request([self._message])
        run = self._workbench.runner.start(self._models[0], request, session_id=self.session_id, user=self._message)
        self._runs = [run]

    def _start_unlogged(self) -> None:
        gate = Gate(self._workbench.pool, self._columns, self._models, one_by_one=False)
        for index, (column, model) in enumerate(zip(self._columns, self._models, strict=True)):
            request = column.options.request([self._message])
            self._runs.append(self._workbench.runner.start(model, request, session_id=None, turn=gate.turn(index)))

    def _follow(self, index: int, *, printing: bool) -> None:
        """Print one model's answer as it comes, while the others go on."""
        if printing and self._several:
            write(f"{'' if index == 0 else chr(10)}## {self._columns[index].label}\n\n")
        run = self._runs[index]
        cursor, ended_with, done = Cursor(), "\n", False
        while not done:
            done = run.wait(POLL_S)
            delta = run.buffer.read(cursor)
            cursor = delta.cursor
            self._show(delta, self._models[index])
            if delta.text:
                ended_with = delta.text[-1]
            if printing and delta.text:
                self._progress.clear()
                write(delta.text)
        if printing and ended_with != "\n":
            write("\n")
        if printing:
            for call in run.record.tool_calls:
                write(f"{call['name']}({call['arguments']})\n")
        self._conclude(run, printing=printing)

    def _show(self, delta: Delta, model: ChatModel) -> None:
        for notice in delta.notices:
            self._progress.say(f"Note: {notice}", always=True)
        self._progress.dim(delta.reasoning)
        if delta.state == "loading" and delta.load_fraction is not None:
            self._progress.show(f"Loading {model.info.name}: {delta.load_fraction:.0%}")
        elif delta.state == "prompt" and delta.progress is not None:
            total = max(1, delta.progress.total - delta.progress.cached)
            self._progress.show(f"Reading the prompt: {min(1.0, delta.progress.evaluated / total):.0%}")

    def _conclude(self, run: Run, *, printing: bool) -> None:
        record = run.record
        if record.finish_reason == "failed" and record.error is not None:
            who = f"{record.model}: " if self._several else ""
            self._progress.say(f"Error: {who}{' '.join(str(record.error).split())}", always=True)
        elif printing:
            self._progress.say(f"({_summary(record)})")
        self._progress.clear()

    def _stop(self) -> None:
        """Cancel everything and wait until what has come is stored."""
        self._progress.clear()
        self._workbench.runner.cancel_all()
        for run in self._runs:
            run.wait(STOP_TIMEOUT_S)


def _exit_code(records: Sequence[RunRecord]) -> int:
    """Input that no run could use is told apart from work that failed."""
    codes = {error_class(r.error.kind).exit_code if r.error else EXIT_FAILED for r in records if r.status == "failed"}
    return min(codes, default=0)


def _labels(models: Sequence[ChatModel]) -> list[str]:
    """Each model's id; the second time the same one comes, with a number."""
    ids = [model.info.id for model in models]
    return [f"{id_} ({n})" if (n := ids[: i + 1].count(id_)) > 1 else id_ for i, id_ in enumerate(ids)]


def _summary(record: RunRecord) -> str:
    facts = [record.finish_reason]
    if record.completion_tokens is not None:
        facts.append(f"{record.completion_tokens} tokens")
    if record.time_to_first_token_s is not None:
        facts.append(f"first after {record.time_to_first_token_s:.2f} s")
    if record.decode_tokens_per_s is not None:
        facts.append(f"{record.decode_tokens_per_s:.1f} tokens/s")
    if record.cost_usd is not None:
        facts.append(f"${record.cost_usd:.6f}")
    return ", ".join(facts)
