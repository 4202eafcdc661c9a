"""Logged answers asked again of another model, side by side with what was answered then.

Each replay is a comparison of its own: the conversation up to the answer, the recorded answer as the first column and
the new one as the second. The recorded run is copied for it; the copy says so and is left out of the privacy ledger.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from workbench.core.chat_options import ChatOptions
from workbench.core.errors import BadInput, ErrorInfo, WorkbenchError
from workbench.core.models import ChatModel
from workbench.core.requests import ChatRequest, Sampling, Tool
from workbench.core.runs import RunRecord
from workbench.services.chat import ChatService, ModelSource, automatic_title
from workbench.services.comparison import ColumnSpec
from workbench.services.runner import Run, Runner
from workbench.store import Comparison, Store, StoredMessage, new_id, with_answer
from workbench.store.runs import COPY_OF

IN_FLIGHT = 4
"""Replays that are asked at the same time: a batch on a local model, parallel requests to a service."""
_OF_ANY_MODEL = ("response_format", "reasoning", "overflow", "tools")
_OF_THE_SAME_MODEL = ("template_variables", "chat_template", "load")
RECORDED = "recorded"


class Failure(msgspec.Struct, frozen=True):
    run_id: str
    error: ErrorInfo


class Replayed(msgspec.Struct, frozen=True):
    """A replay that was started."""

    source_run_id: str
    session_id: str
    run: Run


class ReplayService:
    def __init__(self, store: Store, runner: Runner, catalog: ModelSource, chat: ChatService) -> None:
        self._store = store
        self._runner = runner
        self._catalog = catalog
        self._chat = chat

    def start(self, run_ids: Sequence[str], model_id: str) -> ReplayBatch:
        """Ask `model_id` what each of these runs was asked. Returns at once. Raises UnknownModel, BadInput."""
        if not run_ids:
            raise BadInput("No answers were chosen to replay.")
        model = self._catalog.get(model_id)
        return ReplayBatch(tuple(run_ids), lambda run_id: self.replay(run_id, model))

    def replay(self, run_id: str, model: ChatModel) -> Replayed:
        """Start one. Raises BadInput where the run can't be asked again, StoreError."""
        source = self._store.run(run_id)
        if source is None:
            raise BadInput(f"There is no run {run_id}.")
        path = self._path(source)
        options = options_of(source, model.info.id)
        request = self._request(source, path, options)
        asked = next((stored.message for stored in reversed(path) if stored.message.role == "user"), None)
        columns = [
            ColumnSpec(model=source.model, label=f"{source.model_name or source.model} ({RECORDED})"),
            ColumnSpec(model=model.info.id, options=options),
        ]
        plain = [msgspec.to_builtins(column) for column in columns]
        title = automatic_title(asked) if asked is not None else ""
        session = self._store.create_session("comparison", title, options={"columns": plain, "replay_of": run_id})
        try:
            parent = self._copy_path(session.id, path)
            comparison = self._store.add_comparison(Comparison(session_id=session.id, message_id=parent, columns=plain))
            self._copy_answer(source, session.id, parent, comparison.id)
            run = self._runner.start(
                model,
                request,
                session_id=session.id,
                parent_id=parent,
                comparison_id=comparison.id,
                comparison_column=1,
            )
        except BaseException:
            self._store.delete_session(session.id)  # half a comparison would only confuse
            raise
        return Replayed(run_id, session.id, run)

    def _path(self, source: RunRecord) -> list[StoredMessage]:
        """The messages the run answered. Raises BadInput."""
        answer = self._store.message(source.message_id) if source.message_id else None
        if answer is None or answer.parent_id is None:
            raise BadInput(f"What {source.model_name or source.model} was asked is not in the log, only its answer.")
        return self._chat.path_to(answer.session_id, answer.parent_id)

    def _request(self, source: RunRecord, path: list[StoredMessage], options: ChatOptions) -> ChatRequest:
        own_system = any(stored.message.role == "system" for stored in path)
        asking = msgspec.structs.replace(options, system_prompt="") if own_system else options
        request = asking.request(self._chat.sendable(stored.message for stored in path))
        tools = _converted(source.request.get("tools"), tuple[Tool, ...])
        return msgspec.structs.replace(request, tools=tools) if tools else request

    def _copy_path(self, session_id: str, path: list[StoredMessage]) -> str | None:
        parent: str | None = None
        for stored in path:
            message = self._chat.with_attachments(stored.message)
            parent = self._store.add_message(session_id, parent, message).id
        return parent

    def _copy_answer(self, source: RunRecord, session_id: str, parent: str | None, comparison_id: str) -> None:
        copy = msgspec.structs.replace(
            source,
            id=new_id(),
            comparison_id=comparison_id,
            comparison_column=0,
            status="interrupted" if source.status == "running" else source.status,
            request={**source.request, COPY_OF: source.request.get(COPY_OF) or source.id},
            notices=[*source.notices, "Recorded earlier; copied here beside its replay."],
        )
        _, answer = self._store.start_exchange(session_id, parent, None, copy)
        self._store.finish_run(copy, with_answer(answer.message, copy))


def options_of(source: RunRecord, model_id: str) -> ChatOptions:
    """How the run was asked, as far as it makes sense for another model: the system prompt, the sampling in effect
    then, format and reasoning; load options and templates only for the same model."""
    names = (*_OF_ANY_MODEL, *(_OF_THE_SAME_MODEL if source.model == model_id else ()))
    asked: dict[str, Any] = {name: source.request[name] for name in names if name in source.request}
    sampling = {name: value for name, value in source.sampling.items() if name in Sampling.__struct_fields__}
    asked_limit = (source.request.get("sampling") or {}).get("max_tokens")
    if source.model != model_id and source.remote and asked_limit is None:
        sampling.pop("max_tokens", None)  # its service wants a limit with every request; nobody asked for this one
    if source.seed is not None:
        sampling["seed"] = source.seed
    options = _converted({**asked, "sampling": sampling, "system_prompt": source.system_prompt}, ChatOptions)
    return options or ChatOptions(system_prompt=source.system_prompt)


def _converted(value: Any, kind: Any) -> Any:
    """None where it is of another version or another program."""
    try:
        return msgspec.convert(value, kind) if value else None
    except (msgspec.ValidationError, TypeError):
        return None


class ReplayBatch:
    """Replays under way, a few at a time. Safe to read from any thread."""

    def __init__(self, run_ids: tuple[str, ...], start: Callable[[str], Replayed]) -> None:
        self.run_ids = run_ids
        self.started: list[Replayed] = []
        self.failures: list[Failure] = []
        """Runs that could not be asked again; answers that failed say so in their own rows."""
        self._start = start
        self._cancelled = threading.Event()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._work, name="replay", daemon=True)
        self._thread.start()

    @property
    def total(self) -> int:
        return len(self.run_ids)

    @property
    def finished(self) -> int:
        return len(self.failures) + sum(item.run.done for item in list(self.started))

    @property
    def done(self) -> bool:
        return self._done.is_set()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Start no more, and stop those under way. Returns at once."""
        self._cancelled.set()
        for item in list(self.started):
            item.run.cancel()

    def wait(self, timeout_s: float | None = None) -> bool:
        return self._done.wait(timeout_s)

    def _work(self) -> None:
        try:
            for run_id in self.run_ids:
                self._wait_for_room(IN_FLIGHT - 1)
                if self._cancelled.is_set():
                    break
                try:
                    self.started.append(self._start(run_id))
                except WorkbenchError as error:
                    self.failures.append(Failure(run_id, error.info))
            if self._cancelled.is_set():  # one may have started while it was being cancelled
                self.cancel()
            self._wait_for_room(0)
        finally:
            self._done.set()

    def _wait_for_room(self, most: int) -> None:
        while len(active := [item.run for item in self.started if not item.run.done]) > most:
            active[0].wait(0.1)
