"""The list of test sets and evaluations."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPoint, QSize, Qt, Slot
from PySide6.QtGui import QKeyEvent, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QHBoxLayout, QListView, QMenu, QVBoxLayout, QWidget

from workbench.store import EvaluationRow
from workbench.ui.chat.session_list import ID_ROLE, PINNED_ROLE, RUNNING_ROLE, SNIPPET_ROLE, SessionDelegate
from workbench.ui.context import Context
from workbench.ui.evaluate.state import EvaluateState
from workbench.ui.icons import IconButton, PushButton
from workbench.ui.tr import mark, tr, trn
from workbench.ui.widgets import ElidedLabel

KIND_ROLE = Qt.ItemDataRole.UserRole + 20
OUTCOMES = {
    "replaceable": mark("can replace"),
    "not_replaceable": mark("can't replace"),
    "not_enough_evidence": mark("not enough evidence"),
}
UNFINISHED = {"running": mark("unfinished"), "stopped": mark("stopped"), "over_budget": mark("budget used up")}


def outcome_text(row: EvaluationRow) -> str:
    """What came out, in a few words."""
    if row.status != "done":
        return tr(UNFINISHED.get(row.status, ""))
    outcomes = row.summary.get("outcomes") or {}
    if not outcomes:
        return tr("done")
    if len(outcomes) > 1:
        passed = sum(value == "replaceable" for value in outcomes.values())
        return tr("{count} of {total} can replace", count=passed, total=len(outcomes))
    return ", ".join(tr(OUTCOMES.get(value, value)) for value in outcomes.values())


class Rows(QListView):
    """Delete deletes the row that is chosen."""

    def __init__(self, owner: EvaluateList) -> None:
        super().__init__(owner)
        self._owner = owner

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Delete:
            self._owner.delete_current()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._owner.open_index(self.currentIndex())
        else:
            super().keyPressEvent(event)


class EvaluateList(QWidget):
    def __init__(self, state: EvaluateState, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Test sets and evaluations"))
        self._state = state
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 12, 0, 4)
        column.setSpacing(8)
        head = QHBoxLayout()
        head.setContentsMargins(12, 0, 8, 0)
        head.addWidget(ElidedLabel(tr("Evaluate"), "brand"), 1)
        hide = IconButton("panel-left", tr("Hide the list"))
        hide.set_title(tr("Hide the list"), context.actions.keys("list.toggle"))
        hide.clicked.connect(context.actions["list.toggle"].trigger)
        head.addWidget(hide)
        column.addLayout(head)
        tools = QVBoxLayout()
        tools.setContentsMargins(12, 0, 12, 0)
        self.new = PushButton(tr("New test set"), icon_name="plus")
        self.new.clicked.connect(self._new)
        tools.addWidget(self.new)
        column.addLayout(tools)
        self.list = Rows(self)
        self.list.setAccessibleName(tr("Test sets and evaluations"))
        self.list.setItemDelegate(SessionDelegate(self.list))
        self.list.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.list.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.list.setMouseTracking(True)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._show_menu)
        self.list.clicked.connect(self.open_index)
        self.list.setIconSize(QSize(14, 14))
        self._model = QStandardItemModel(self)
        self.list.setModel(self._model)
        column.addWidget(self.list, 1)
        state.lists_changed.connect(self.refresh)
        state.shown_changed.connect(self._select)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        scroll = self.list.verticalScrollBar().value()
        self._model.clear()
        self._heading(tr("Start"))
        self._row("welcome", "", tr("What this is for"), tr("examples, import"))
        if self._state.test_sets:
            self._heading(tr("Test sets"))
        for row, size in self._state.test_sets:
            count = trn("{count} case", "{count} cases", size)
            self._row("set", row.id, row.name, count)
        if self._state.evaluations:
            self._heading(tr("Evaluations"))
        running = self._state.running.id if self._state.running else ""
        for evaluation in self._state.evaluations:
            busy = evaluation.id == running
            detail = tr("running") if busy else outcome_text(evaluation)
            day = evaluation.created_at[:10]
            self._row("evaluation", evaluation.id, evaluation.name, f"{day} · {detail}", running=busy)
        self.list.verticalScrollBar().setValue(scroll)
        self._select()

    def titles(self) -> list[tuple[str, str]]:
        """(kind, title) of the rows shown."""
        items = [self._model.item(row) for row in range(self._model.rowCount())]
        return [(item.data(KIND_ROLE), item.text()) for item in items if item.data(ID_ROLE) is not None]

    def _heading(self, title: str) -> None:
        item = QStandardItem(title)
        item.setFlags(Qt.ItemFlag.NoItemFlags)
        self._model.appendRow(item)

    def _row(self, kind: str, id: str, title: str, detail: str, *, running: bool = False) -> None:
        item = QStandardItem(title)
        item.setData(id, ID_ROLE)
        item.setData(kind, KIND_ROLE)
        item.setData(detail, SNIPPET_ROLE)
        item.setData(False, PINNED_ROLE)
        item.setData(running, RUNNING_ROLE)
        item.setData(f"{title}, {detail}", Qt.ItemDataRole.AccessibleTextRole)
        item.setToolTip(f"{title}\n{detail}")
        self._model.appendRow(item)

    @Slot()
    def _select(self) -> None:
        for row in range(self._model.rowCount()):
            item = self._model.item(row)
            if item.data(ID_ROLE) is not None and (item.data(KIND_ROLE), item.data(ID_ROLE)) == self._state.shown:
                self.list.setCurrentIndex(self._model.index(row, 0))
                return
        self.list.clearSelection()
        self.list.setCurrentIndex(QModelIndex())

    @Slot(QModelIndex)
    def open_index(self, index: QModelIndex) -> None:
        kind, id = index.data(KIND_ROLE), index.data(ID_ROLE)
        if id is not None:
            self._state.show(kind, id)

    def delete_current(self) -> None:
        index = self.list.currentIndex()
        kind, id = index.data(KIND_ROLE), index.data(ID_ROLE)
        if kind == "set":
            self._state.delete_set(id)
        elif kind == "evaluation":
            self._state.delete_evaluation(id)

    @Slot()
    def _new(self) -> None:
        self._state.create_set(tr("New test set"))

    @Slot(QPoint)
    def _show_menu(self, place: QPoint) -> None:
        index = self.list.indexAt(place)
        if index.data(KIND_ROLE) in ("set", "evaluation"):
            self.list.setCurrentIndex(index)
            menu = QMenu(self)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.addAction(tr("Open")).triggered.connect(lambda: self.open_index(self.list.currentIndex()))
            menu.addAction(tr("Delete")).triggered.connect(self.delete_current)
            menu.popup(self.list.viewport().mapToGlobal(place))
