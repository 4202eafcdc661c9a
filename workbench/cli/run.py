"""`workbench run`: ask one or several models."""

from __future__ import annotations

import sys
import textwrap
from collections import deque
from collections.abc import Iterable
from typing import Any

import click
import msgspec

from workbench.cli.context import Workbench
from workbench.cli.options import SPECIAL, option_names, parse_options, with_defaults
from workbench.cli.output import Progress, print_json, write
from workbench.core.errors import BadInput
from workbench.core.messages import Message
from workbench.core.models import ChatModel
from workbench.core.runs import RunRecord
from workbench.services.chat import ChatOptions, automatic_title
from workbench.services.run_buffer import Cursor, Delta
from workbench.services.runner import Run
from workbench.store import Comparison

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
Exit codes: 0 all answered, 1 a model failed, 2 bad input, 130 stopped with Ctrl+C (what had come is kept).
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
    options = parse_options(pairs, system_prompt=system)
    text = _prompt(prompt)
    with Workbench(log_runs=not no_log) as workbench:
        settings = workbench.settings
        if workbench.settings_file.problem:
            click.echo(workbench.settings_file.problem, err=True)
        models = [workbench.catalog.get(id_) for id_ in model_ids or (settings.default_model,)]
        options = with_defaults(options, settings.engine.sampling)
        asking = _Asking(workbench, models, options, Message.of("user", text), log=not no_log)
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
    """One prompt to one or several models: remote ones at the same time, local ones one after another."""

    def __init__(
        self, workbench: Workbench, models: list[ChatModel], options: ChatOptions, message: Message, *, log: bool
    ) -> None:
        self._workbench = workbench
        self._models = models
        self._options = options
        self._message = message
        self._progress = Progress()
        self._runs: list[Run | None] = [None] * len(models)
        self._local = deque(index for index, model in enumerate(models) if not model.info.remote)
        self._local_run: Run | None = None
        self._several = len(models) > 1
        self.session_id: str | None = None
        self._where: dict[str, Any] = {"session_id": None}
        if log:
            self._open_session()

    def answer(self, *, as_json: bool) -> int:
        """Ask, print, and return the exit code."""
        interrupted = False
        try:
            self._start_remote()
            for index in range(len(self._models)):
                self._follow(index, printing=not as_json)
        except KeyboardInterrupt:
            interrupted = True
            self._stop()
        runs = [run for run in self._runs if run is not None]
        if as_json:
            self._progress.clear()
            print_json(Answers(session=self.session_id, runs=[run.record for run in runs]))
        if interrupted:
            self._progress.say("Stopped.", always=True)
            return EXIT_CANCELLED
        return EXIT_FAILED if any(run.record.finish_reason == "failed" for run in runs) else 0

    def _open_session(self) -> None:
        store = self._workbench.store
        if store.read_only:
            raise BadInput(store.notice, hint="Ask with --no-log to keep nothing.")
        title = automatic_title(self._message)
        options = {"model": self._models[0].info.id, **msgspec.to_builtins(self._options)}
        if not self._several:
            session = store.create_session(title=title, options=options)
            self._where = {"session_id": session.id, "user": self._message}
        else:
            session = store.create_session(kind="comparison", title=title, options=options)
            asked = store.add_message(session.id, None, self._message)
            columns = [
                {"model": model.info.id, "label": label, "options": msgspec.to_builtins(self._options)}
                for model, label in zip(self._models, self._labels(), strict=True)
            ]
            comparison = store.add_comparison(
                Comparison(id="", session_id=session.id, message_id=asked.id, columns=columns)
            )
            self._where = {"session_id": session.id, "parent_id": asked.id, "comparison_id": comparison.id}
        self.session_id = session.id

    def _labels(self) -> list[str]:
        """Each model's id; the second time the same one comes, with a number."""
        ids = [model.info.id for model in self._models]
        return [f"{id_} ({n})" if (n := ids[: i + 1].count(id_)) > 1 else id_ for i, id_ in enumerate(ids)]

    def _start(self, index: int) -> Run:
        request = self._options.request([self._message])
        run = self._workbench.runner.start(self._models[index], request, **self._where)
        self._runs[index] = run
        return run

    def _start_remote(self) -> None:
        for index, model in enumerate(self._models):
            if model.info.remote:
                self._start(index)

    def _start_next_local(self) -> None:
        if self._local and (self._local_run is None or self._local_run.done):
            self._local_run = self._start(self._local.popleft())

    def _follow(self, index: int, *, printing: bool) -> None:
        """Print one model's answer as it comes, while the others go on."""
        if printing and self._several:
            write(f"{'' if index == 0 else chr(10)}## {self._labels()[index]}\n\n")
        cursor, ended_with, done = Cursor(), "\n", False
        while not done:
            self._start_next_local()
            run = self._runs[index]
            if run is None:  # a local model that waits for the one before it
                waiting_for = self._local_run
                assert waiting_for is not None
                waiting_for.wait(POLL_S)
                continue
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
        assert run is not None
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
        self._local.clear()
        self._progress.clear()
        self._workbench.runner.cancel_all()
        for run in self._runs:
            if run is not None:
                run.wait(STOP_TIMEOUT_S)


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
