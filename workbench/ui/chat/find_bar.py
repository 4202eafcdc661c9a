"""Finding text in the shown chat: a field above the transcript, with the number of hits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QWidget

from workbench.ui.icons import IconButton
from workbench.ui.tr import tr
from workbench.ui.widgets import announce, label

if TYPE_CHECKING:
    from workbench.ui.transcript import TranscriptView

SEARCH_AFTER_MS = 120


class FindBar(QFrame):
    """Enter goes on, Shift+Enter back, Escape closes it. Hidden until `open`."""

    closed = Signal()

    def __init__(self, view: TranscriptView, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Find in this chat"))
        self._view = view
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 4, 16, 4)
        row.setSpacing(4)
        row.addStretch(1)
        self.field = QLineEdit()
        self.field.setPlaceholderText(tr("Find in this chat"))
        self.field.setAccessibleName(tr("Find in this chat"))
        self.field.setMaximumWidth(320)
        self.field.textChanged.connect(self._changed)
        self.field.installEventFilter(self)
        row.addWidget(self.field, 2)
        self.count = label("", "stat")
        row.addWidget(self.count)
        for name, title, step in (
            ("chevron-left", tr("Previous hit"), self.previous),
            ("chevron-right", tr("Next hit"), self.next),
            ("x", tr("Close"), self.close_bar),
        ):
            button = IconButton(name, title, size=16)
            button.clicked.connect(step)
            row.addWidget(button)
        self._timer = QTimer(self, singleShot=True, interval=SEARCH_AFTER_MS)
        self._timer.timeout.connect(self._search)
        self.hide()

    @Slot()
    def open(self) -> None:
        self.show()
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.field.selectAll()
        if self.field.text():
            self._search()

    @Slot()
    def close_bar(self) -> None:
        self._timer.stop()
        self.hide()
        self._view.find("")
        self.closed.emit()

    @Slot()
    def next(self) -> None:
        self._step(backwards=False)

    @Slot()
    def previous(self) -> None:
        self._step(backwards=True)

    def _step(self, *, backwards: bool) -> None:
        if self._timer.isActive():  # Enter right behind the last letter
            self._timer.stop()
            self._search()
        else:
            self._tell(self._view.find_next(backwards=backwards))

    @Slot()
    def _changed(self) -> None:
        self._timer.start()

    @Slot()
    def _search(self) -> None:
        self._view.find(self.field.text())
        self._tell(self._view.finder.place)

    def _tell(self, place: tuple[int, int]) -> None:
        number, count = place
        text = tr("{number} of {count}", number=number, count=count) if count else tr("Nothing found")
        self.count.setText(text if self.field.text() else "")
        announce(self, self.count.text())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if not isinstance(event, QKeyEvent):
            return False
        ours = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape)
        if event.type() == QEvent.Type.ShortcutOverride and ours:
            event.accept()  # Escape would stop an answer
            return False
        if event.type() != QEvent.Type.KeyPress or not ours:
            return False
        if event.key() == Qt.Key.Key_Escape:
            self.close_bar()
        else:
            self._step(backwards=bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))
        return True
