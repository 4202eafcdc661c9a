"""The Evaluate place."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import msgspec
from PySide6.QtCore import Slot
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QStackedWidget, QVBoxLayout, QWidget

from workbench.core.errors import ErrorInfo
from workbench.core.requests import Sampling
from workbench.evaluation.case_files import SUFFIXES
from workbench.evaluation.exports import SUFFIX, exported
from workbench.evaluation.spec import EvalSpec, ModelSpec
from workbench.evaluation.stored import folder_of, read_spec_of
from workbench.evaluation.test_sets import TestSet
from workbench.ui.context import Context
from workbench.ui.evaluate.actions import add_actions
from workbench.ui.evaluate.loaded import Loaded
from workbench.ui.evaluate.queue_view import QueueView
from workbench.ui.evaluate.results_view import ResultsView
from workbench.ui.evaluate.setup_view import SetupView
from workbench.ui.evaluate.side_list import EvaluateList
from workbench.ui.evaluate.state import EvaluateState
from workbench.ui.evaluate.test_set_view import TestSetView
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
        self.welcome.new_wanted.connect(self.new_set)
        self.welcome.import_wanted.connect(self.import_file)
        self.stack.addWidget(self.welcome)
        self.state.shown_changed.connect(self._show)
        self.state.failed.connect(self._tell)
        self._show()
        add_actions(self)

    # Each view is built when it is first shown: all of them at once would hold the window up.
    @cached_property
    def results(self) -> ResultsView:
        view = ResultsView(self.state, self.context)
        view.export_wanted.connect(self._export)
        view.set_up_again.connect(self._set_up_again)
        view.queue_wanted.connect(self._judge)
        self.stack.addWidget(view)
        return view

    @cached_property
    def test_set(self) -> TestSetView:
        view = TestSetView(self.state, self.context)
        view.set_up_wanted.connect(self._set_up)
        self.stack.addWidget(view)
        return view

    @cached_property
    def setup(self) -> SetupView:
        view = SetupView(self.state, self.context)
        self.stack.addWidget(view)
        return view

    @cached_property
    def queue(self) -> QueueView:
        view = QueueView(self.context)
        view.closed.connect(lambda id: self.state.show("evaluation", id))
        view.failed.connect(self._tell)
        self.stack.addWidget(view)
        return view

    def activate(self) -> None:
        self.state.refresh()

    def show_set(self, set_id: str) -> None:
        """Open a test set, as “Open” does after adding a case from elsewhere."""
        self.state.refresh()
        self.state.show("set", set_id)

    def close_page(self) -> None:
        if "test_set" in self.__dict__:  # built
            self.test_set.prompts.flush()
        self.state.close()

    @Slot()
    def _show(self) -> None:
        kind, id = self.state.shown
        self.context.shell.banner(BANNER, None)
        if kind == "evaluation":
            self.results.open(id)
            self.stack.setCurrentWidget(self.results)
        elif kind == "set":
            self.test_set.open(id)
            self.stack.setCurrentWidget(self.test_set)
        elif kind == "setup":
            self.setup.show_draft()
            self.stack.setCurrentWidget(self.setup)
        else:
            self.stack.setCurrentWidget(self.welcome)

    @Slot()
    def new_set(self) -> None:
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
    def _set_up(self, test_set: TestSet) -> None:
        """The models and graders of the last evaluation of this set are where a new one begins."""
        spec = EvalSpec(name=test_set.name, models=(), cases=test_set.cases, prompts=test_set.prompts)
        folder = Path()
        for row in self.state.evaluations:
            if row.config.get("test_set") == test_set.id:
                last = read_spec_of(row)
                names = ("models", "baseline", "graders", "margin", "repeats", "budget")
                spec = msgspec.structs.replace(spec, **{name: getattr(last, name) for name in names})
                folder = folder_of(row)
                break
        else:
            local = next((info for info in self.state.models if not info.remote), None)
            if local is not None:
                sampling = Sampling(temperature=0.0, max_tokens=256)
                spec = msgspec.structs.replace(spec, models=(ModelSpec(model=local.id, sampling=sampling),))
        self.state.set_up(spec, folder, test_set=test_set.id)

    @Slot(object)
    def _set_up_again(self, loaded: Loaded) -> None:
        self.state.set_up(loaded.spec, folder_of(loaded.row), test_set=str(loaded.row.config.get("test_set", "")))

    @Slot(object)
    def _judge(self, loaded: Loaded) -> None:
        self.stack.setCurrentWidget(self.queue)
        self.queue.open(loaded)

    @Slot(str, object)
    def _export(self, what: str, loaded: Loaded) -> None:
        backend = self.context.backend.value
        if backend is None:
            return
        suffix = SUFFIX[what]
        name, _ = QFileDialog.getSaveFileName(self, tr("Export"), f"{loaded.row.name}.{suffix}", f"*.{suffix}")
        if name:
            store, money = backend.store, self.results.cost.items()
            self.state.write_file(Path(name), lambda: exported(store, loaded.row, what, money))

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
            if self.state.shown[0] == "set":
                self.test_set.add_file(files[0])
            else:
                self.state.import_cases(files[0])


def _case_files(event: QDropEvent) -> list[Path]:
    if not event.mimeData().hasUrls():
        return []
    paths = [Path(url.toLocalFile()) for url in event.mimeData().urls()]
    return [path for path in paths if path.suffix.lower() in SUFFIXES]
