"""Above the columns: in what the answers' conditions differ."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from workbench.ui.compare.state import CompareState
from workbench.ui.compare.turns import differences
from workbench.ui.icons import IconButton, IconLabel
from workbench.ui.tr import tr, translated, trn
from workbench.ui.widgets import clear_layout, label, restyle


class ConditionsBar(QFrame):
    """One line for the gravest difference; the others on demand. Hidden where there is none, or names are."""

    def __init__(self, state: CompareState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("conditionsBar")
        self._state = state
        self._open = False
        self._messages: list[str] = []
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 5, 6, 5)
        row.setSpacing(8)
        self.icon = IconLabel("info", 15)
        row.addWidget(self.icon)
        self._lines = QVBoxLayout()
        self._lines.setSpacing(2)
        row.addLayout(self._lines, 1)
        self.more = IconButton("chevron-down", tr("Show all differences"), text="", size=14)
        self.more.clicked.connect(self._toggle)
        row.addWidget(self.more)
        state.turns_changed.connect(self.refresh)
        state.turn_done.connect(self.refresh)
        state.cell_changed.connect(self.refresh)
        state.models_changed.connect(self.refresh)
        self.hide()

    @property
    def messages(self) -> list[str]:
        return self._messages

    @Slot()
    def refresh(self) -> None:
        state = self._state
        turn = state.last_turn
        if turn is None or not turn.done or state.hidden:
            self._messages = []
            clear_layout(self._lines)
            self.hide()
            return
        titles = {column.key: state.title(column) for column in turn.columns}
        found = differences(turn, titles)
        self._messages = [translated(difference.message) for difference in found]
        grave = bool(found) and found[0].severity == "warning"
        self.icon.set_icon("triangle-alert" if grave else "info")
        if self.property("grave") != grave:
            self.setProperty("grave", grave)
            restyle(self)
        self._fill()
        self.setVisible(bool(found))

    def _fill(self) -> None:
        clear_layout(self._lines)
        shown = self._messages if self._open else self._messages[:1]
        for text in shown:
            self._lines.addWidget(label(text, "stat", wrap=True, selectable=True))
        rest = len(self._messages) - 1
        self.more.setVisible(rest > 0)
        self.more.set_icon("chevron-down" if not self._open else "chevron-right")
        text = tr("Show fewer") if self._open else trn("{count} more difference", "{count} more differences", rest)
        self.more.set_title(text)
        self.setAccessibleName(tr("Conditions differ: {text}", text=" ".join(self._messages)))

    @Slot()
    def _toggle(self) -> None:
        self._open = not self._open
        self._fill()
