"""The Evaluate place."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Slot
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QStackedWidget, QVBoxLayout, QWidget

from workbench.core.errors import ErrorInfo
from workbench.evaluation.case_files import SUFFIXES
from workbench.ui.context import Context
from workbench.ui.evaluate.results_view import ResultsView
from workbench.ui.evaluate.side_list import EvaluateList
from workbench.ui.evaluate.state import EvaluateState
from workbench.ui.evaluate.welcome import Welcome
from workbench.ui.places import Page
from workbench.ui.tr import tr

BANNER = "evaluate"


class EvaluatePage(Page):
    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        self.setAcceptDrops(True)
        self.state = EvaluateState(context, self)
        self.side_list = EvaluateList(self.state, context)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self.stack = QStackedWidget()
        column.addWidget(self.stack)
        self.welcome = Welcome()
        self.welcome.example_wanted.connect(self.state.try_example)
        self.welcome.new_wanted.connect(self._new_set)
        self.welcome.import_wanted.connect(self.import_file)
        self.stack.addWidget(self.welcome)
        self.results = ResultsView(self.state, context)
        self.stack.addWidget(self.results)
        self.state.shown_changed.connect(self._show)
        self.state.failed.connect(self._tell)
        self._show()

    def activate(self) -> None:
        self.state.refresh()

    def close_page(self) -> None:
        self.state.close()

    @Slot()
    def _show(self) -> None:
        kind, id = self.state.shown
        self.context.shell.banner(BANNER, None)
        if kind == "evaluation":
            self.results.open(id)
            self.stack.setCurrentWidget(self.results)
        else:
            self.stack.setCurrentWidget(self.welcome)

    @Slot()
    def _new_set(self) -> None:
        self.state.create_set(tr("New test set"))

    @Slot()
    def import_file(self) -> None:
        patterns = " ".join(f"*{suffix}" for suffix in sorted(SUFFIXES))
        name, _ = QFileDialog.getOpenFileName(
            self, tr("Import cases or an evaluation"), "", f"{tr('Cases')} ({patterns})"
        )
        if name:
            self.state.import_cases(Path(name))

    @Slot(object)
    def _tell(self, error: ErrorInfo) -> None:
        self.context.shell.banner(BANNER, error)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _case_files(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        files = _case_files(event)
        if files:
            event.acceptProposedAction()
            self.state.import_cases(files[0])


def _case_files(event: QDropEvent) -> list[Path]:
    if not event.mimeData().hasUrls():
        return []
    paths = [Path(url.toLocalFile()) for url in event.mimeData().urls()]
    return [path for path in paths if path.suffix.lower() in SUFFIXES]
