"""Files in and out, and replays: long work that shows its progress in the status bar and can be stopped there."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6 import QtWidgets
from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QWidget

from workbench.core.cancel import CancelToken
from workbench.core.errors import ErrorInfo
from workbench.ui.backend import Backend
from workbench.ui.context import Context
from workbench.ui.formats import number
from workbench.ui.tr import tr, translated, trn

if TYPE_CHECKING:
    from workbench.hookspecs import Exporter
    from workbench.services.replay import ReplayBatch

POLL_MS = 100
FIRST = ("jsonl", "markdown", "html", "openai", "sharegpt", "llm")


class Transfer(QObject):
    imported = Signal()
    failed = Signal(object)

    def __init__(self, context: Context, owner: QWidget) -> None:
        super().__init__(owner)
        self._context, self._owner = context, owner
        self._done, self._total = 0, 0
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._show_progress)
        self._text = ""
        self._token = CancelToken()

    # --- out -------------------------------------------------------------------------------------------------
    def export_runs(self, run_ids: list[str], exporter: Exporter) -> None:
        """Ask where, and write the sessions these runs belong to, without those in which names are still hidden."""
        suffix = exporter.suffix
        name = tr("history") + suffix
        chosen, _filter = QtWidgets.QFileDialog.getSaveFileName(
            self._owner, tr("Export"), name, f"{translated(exporter.title)} (*{suffix})"
        )
        backend = self._context.backend.value
        if chosen and backend is not None:
            self.write_runs(backend, run_ids, exporter, Path(chosen))

    def write_runs(self, backend: Backend, run_ids: list[str], exporter: Exporter, path: Path) -> None:
        def work(token: CancelToken) -> tuple[int, int]:
            archives: Any = importlib.import_module("workbench.services.archives")
            found, secret = _sessions_of(backend, run_ids), backend.store.hidden_sessions()
            sessions = [session_id for session_id in found if session_id not in secret]
            self._total = len(sessions)
            if sessions:
                archives.write_file(path, archives.export_pieces(backend.store, exporter, sessions, self._count, token))
            return len(sessions), len(found) - len(sessions)

        def done(counts: tuple[int, int]) -> str:
            written, secret = counts
            if secret and not written:
                return tr("Nothing was written: who wrote these answers is hidden until the vote.")
            if not written:
                return tr("Nothing was written: these runs belong to no conversation.")
            text = trn(
                "{count} conversation written to {name}.",
                "{count} conversations written to {name}.",
                written,
                name=path.name,
            )
            left_out = trn(
                "{count} is left out: who wrote its answers is hidden until the vote.",
                "{count} are left out: who wrote their answers is hidden until the vote.",
                secret,
            )
            return " ".join(part for part in (text, left_out if secret else "", translated(exporter.loses)) if part)

        self._run(tr("Exporting"), work, done)

    def export_ledger(self) -> None:
        """Ask where, and write what left this machine as CSV."""
        chosen, _filter = QtWidgets.QFileDialog.getSaveFileName(
            self._owner, tr("Export the privacy ledger"), tr("privacy-ledger") + ".csv", "CSV (*.csv)"
        )
        if chosen:
            self.write_ledger(Path(chosen))

    def write_ledger(self, path: Path) -> None:
        backend = self._context.backend.value
        if backend is None:
            return

        def work(_token: CancelToken) -> None:
            archives: Any = importlib.import_module("workbench.services.archives")
            archives.write_file(path, archives.ledger_csv(backend.store))

        def done(_result: object) -> str:
            return tr("The ledger was written to {name}.", name=path.name)

        self._run(tr("Writing the ledger"), work, done)

    # --- in --------------------------------------------------------------------------------------------------
    def choose_import(self) -> None:
        chosen, _filter = QtWidgets.QFileDialog.getOpenFileName(
            self._owner,
            tr("Import conversations"),
            "",
            tr("Conversations (*.jsonl *.json *.zip *.db);;All files (*)"),
        )
        if chosen:
            self.import_file(Path(chosen))

    def import_file(self, path: Path) -> None:
        backend = self._context.backend.value
        if backend is None:
            return

        def work(token: CancelToken) -> list[Any]:
            archives: Any = importlib.import_module("workbench.services.archives")
            importer = archives.recognise(backend.plugins.importers(), path)
            found: list[Any] = archives.import_file(backend.store, importer, path, self._count, token)
            return found

        def done(found: list[Any]) -> str:
            self.imported.emit()
            counts = {state: sum(item.state == state for item in found) for state in ("added", "updated", "present")}
            parts = [trn("{count} conversation imported", "{count} conversations imported", counts["added"])]
            if counts["updated"]:
                parts.append(tr("{count} brought up to date", count=counts["updated"]))
            if counts["present"]:
                parts.append(tr("{count} were here already", count=counts["present"]))
            return ", ".join(parts) + "."

        self._run(tr("Importing"), work, done, after_failure=self.imported.emit)

    # --- inside ----------------------------------------------------------------------------------------------
    def _count(self, done: int) -> None:
        """Called by the worker; the timer shows it."""
        self._done = done

    def _run(
        self,
        text: str,
        work: Callable[[CancelToken], Any],
        done: Callable[[Any], str],
        after_failure: Callable[[], None] | None = None,
    ) -> None:
        """`done` says in words what came of it."""
        self._text, self._done, self._total = text, 0, 0
        self._token = token = CancelToken()
        self._timer.start()
        self._show_progress()

        def finished(result: Any) -> None:
            news = done(result)
            self._end(news)
            self._context.shell.toast(news)

        def failed(error: ErrorInfo) -> None:
            self._end("" if error.kind == "cancelled" else str(error))
            if error.kind == "cancelled":
                self._context.shell.toast(str(error))
            else:
                self.failed.emit(error)
            if after_failure is not None:
                after_failure()

        self._context.jobs.run(lambda: work(token), finished, failed, owner=self)

    @Slot()
    def _show_progress(self) -> None:
        fraction = self._done / self._total if self._total else None
        count = f" {number(self._done)}" if self._done else ""
        of = tr(" of {total}", total=number(self._total)) if self._total and self._done else ""
        self._context.shell.set_work("history-transfer", f"{self._text}{count}{of}", fraction, self._token.cancel)

    def _end(self, news: str) -> None:
        self._timer.stop()
        self._context.shell.set_work("history-transfer", "", None, None, news)


class Replays(QObject):
    """Replays under way, and what came of them."""

    finished = Signal(list)
    """Session ids of the replays that ended, oldest first."""
    failed = Signal(object)

    def __init__(self, context: Context, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.batch: ReplayBatch | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._look)

    def start(self, run_ids: list[str], model_id: str) -> None:
        """Runs whose writers are hidden are left out: beside the replay their names would stand."""
        backend = self._context.backend.value
        if backend is None or self.batch is not None:
            return

        def work() -> tuple[ReplayBatch | None, int]:
            secret = backend.store.hidden_runs()
            ids = [id_ for id_ in run_ids if id_ not in secret]
            if not ids:
                return None, len(run_ids)
            module: Any = importlib.import_module("workbench.services.replay")
            service = module.ReplayService(backend.store, backend.runner, backend.catalog, backend.chat)
            return service.start(ids, model_id), len(run_ids) - len(ids)

        self._context.jobs.run(work, self._started, self.failed.emit, owner=self)

    def cancel(self) -> None:
        if self.batch is not None:
            self.batch.cancel()

    def _started(self, begun: tuple[ReplayBatch | None, int]) -> None:
        self.batch, left_out = begun
        if left_out:
            text = trn(
                "{count} run is not replayed: who wrote it is hidden until the vote.",
                "{count} runs are not replayed: who wrote them is hidden until the vote.",
                left_out,
            )
            self._context.shell.toast(text)
        if self.batch is not None:
            self._timer.start()
            self._look()

    @Slot()
    def _look(self) -> None:
        batch = self.batch
        if batch is None:
            return
        if not batch.done:
            text = tr("Replaying {done} of {total}", done=batch.finished, total=batch.total)
            self._context.shell.set_work("history-replay", text, batch.finished / batch.total, batch.cancel)
            return
        self._timer.stop()
        self.batch = None
        news = trn("{count} replay has ended.", "{count} replays have ended.", batch.total)
        self._context.shell.set_work("history-replay", "", None, None, news)
        if batch.failures:
            first = batch.failures[0].error
            more = len(batch.failures) - 1
            message = first.message + (tr(" {count} more could not be replayed.", count=more) if more else "")
            self.failed.emit(ErrorInfo(kind=first.kind, message=message, hint=first.hint, detail=first.detail))
        self.finished.emit([item.session_id for item in batch.started])


def _sessions_of(backend: Backend, run_ids: list[str]) -> list[str]:
    """The sessions of these runs, in their order, each once. Runs in a worker."""
    rows = backend.store.run_rows_of(run_ids)
    return list(dict.fromkeys(row.session_id for row in rows if row.session_id))
