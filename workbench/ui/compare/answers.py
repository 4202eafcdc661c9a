"""What is done with the answers that stand there: records, copies, word differences, votes so far, files."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from PySide6 import QtWidgets
from PySide6.QtCore import QObject, QPoint, Qt, QUrl, Slot
from PySide6.QtGui import QDesktopServices

from workbench.ui.compare import exporting
from workbench.ui.compare.toolbar import menu_icon
from workbench.ui.tr import tr, translated
from workbench.ui.widgets import copy_text

if TYPE_CHECKING:
    from workbench.core.runs import RunRecord
    from workbench.ui.compare.page import ComparePage


class AnswerActions(QObject):
    """Belongs to the page; acts on its state and its current column."""

    def __init__(self, page: ComparePage) -> None:
        super().__init__(page)
        self._page, self._state, self._context = page, page.state, page.context
        self.diff_dialog: Any = None
        self.tally_dialog: Any = None

    @Slot(str, str, str)
    def act(self, key: str, item_key: str, action: str) -> None:
        if action == "retry":
            self._state.ask_column(key)
        elif action == "fork":
            self._state.fork(key, item_key)
        elif action in ("previous_sibling", "next_sibling"):
            self._state.show_sibling(item_key, 1 if action == "next_sibling" else -1)
        elif action in ("good", "bad"):
            self._state.judging.rate(item_key, 1 if action == "good" else -1)
        elif action in ("rendered_prompt", "run_record"):
            self.show_record(item_key, prompt=action == "rendered_prompt")
        elif action == "reuse":
            turn = next((turn for turn in self._state.turns if item_key.endswith(turn.id)), None)
            self._page.composer.set_text(turn.prompt.text if turn else "")
            self._page.focus_composer()

    def current_run(self) -> str:
        """Id of the run whose answer the current column shows last."""
        for turn in reversed(self._state.turns):
            cell = turn.cells.get(self._page.board.current)
            if cell is not None and cell.answer is not None:
                return cell.answer.record.id
        return ""

    def show_record(self, run_id: str, *, prompt: bool) -> None:
        backend = self._state.backend
        if backend is None or not run_id or self._state.hidden:
            return

        def show(record: RunRecord | None) -> None:
            if record is None:
                return
            dialogs: Any = importlib.import_module("workbench.ui.dialogs")
            if prompt and not record.rendered_prompt:
                self._context.shell.toast(tr("This run has no rendered prompt: the provider renders it."))
            elif prompt:
                dialogs.TextDialog(tr("Rendered prompt"), record.rendered_prompt, self._page).open()
            else:
                record_text = importlib.import_module("workbench.ui.chat.conversation").record_text
                dialogs.TextDialog(tr("Run record"), record_text(record), self._page).open()

        self._context.jobs.run(lambda: backend.store.run(run_id), show, self._page.show_failure, owner=self)

    def add_to_test_set(self, run_id: str) -> None:
        module = importlib.import_module("workbench.ui.evaluate.add_to_set")
        module.add_to_test_set(self._context, self._page, [run_id])

    def copy_current(self) -> None:
        found = self._state.answer(self.current_run())
        if found is not None and not (self._state.hidden and not found[0].done):
            copy_text(found[2].text)
            self._context.shell.toast(tr("Copied"))

    @Slot()
    def show_diff(self) -> None:
        turn = self._state.last_turn
        if turn is None or (self._state.hidden and not turn.done):
            return
        module: Any = importlib.import_module("workbench.ui.compare.diff_dialog")
        texts: list[Any] = []
        first = 0
        for column in self._state.shown_columns:
            cell = turn.cells.get(column.key)
            for number, answer in enumerate(cell.answers if cell is not None else (), start=1):
                if answer.done and answer.text:
                    title = self._state.title(column)
                    several = cell is not None and len(cell.answers) > 1
                    first = len(texts) if column.key == self._page.board.current and not first else first
                    texts.append(module.DiffText(f"{title}, {number}" if several else title, answer.text))
        if len(texts) < 2:
            self._context.shell.toast(tr("There are not two answers to compare yet."))
            return
        self.diff_dialog = module.DiffDialog(texts, first, self._context, self._page)
        self.diff_dialog.open()

    @Slot()
    def show_tally(self) -> None:
        backend = self._state.backend
        if backend is not None:
            module = importlib.import_module("workbench.ui.compare.tally_dialog")
            self.tally_dialog = module.TallyDialog(backend, self._context, self._page)
            self.tally_dialog.open()

    @Slot()
    def open_export(self) -> None:
        anchor = self._page.toolbar.export
        self.export_menu().popup(anchor.mapToGlobal(QPoint(0, anchor.height() + 2)))

    def export_menu(self) -> QtWidgets.QMenu:
        menu = QtWidgets.QMenu(self._page)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        backend = self._state.backend
        if backend is not None and self._page.toolbar.export.isEnabled():
            for exporter in exporting.formats(backend):
                action = menu.addAction(menu_icon(self._page, "file-text"), translated(exporter.title))
                action.triggered.connect(lambda _checked=False, e=exporter: self.export(e))
        return menu

    def export(self, exporter: Any) -> None:
        backend, session = self._state.backend, self._state.session
        if backend is None or session is None:
            return
        path = exporting.ask_file(exporter, session.title, self._page)
        if path is not None:
            self._context.jobs.run(
                lambda: exporting.write(backend, session.id, exporter, path),
                lambda _written: self._context.shell.toast(exporting.told(exporter, path)),
                self._page.show_failure,
                owner=self,
            )

    @Slot(str)
    def open_link(self, link: str) -> None:
        """A click on a link opens the browser, after the user has seen where it leads."""
        url = QUrl(link)
        if url.scheme() not in ("http", "https", "mailto"):
            self._context.shell.toast(tr("Links to {kind} are not opened.", kind=url.scheme() or tr("files")))
            return
        question = tr("Open this address in your browser?")
        answer = QtWidgets.QMessageBox.question(self._page, tr("Open link"), f"{question}\n\n{url.toDisplayString()}")
        if answer == QtWidgets.QMessageBox.StandardButton.Yes:
            QDesktopServices.openUrl(url)
