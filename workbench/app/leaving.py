"""Asks before the window closes while work is under way."""

from __future__ import annotations

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QCloseEvent, QGuiApplication
from PySide6.QtWidgets import QMessageBox

from workbench.ui.tr import tr
from workbench.ui.window import MainWindow

MAX_NAMED = 4


class Leaving(QObject):
    """Holds the window's close event back until the user has said what they want."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._decided = False
        self.question: QMessageBox | None = None
        window.closing.connect(self._closing)

    @Slot()
    def leave(self) -> None:
        """Close without a question: the system ends the program, or the user has confirmed already."""
        self._decided = True
        self._window.close()

    @Slot(QCloseEvent)
    def _closing(self, event: QCloseEvent) -> None:
        running = self._window.status.running if self._window.is_complete else []
        if self._decided or not running or not self._window.isVisible() or _session_ends():
            return
        event.ignore()
        if self.question is None:
            self._ask(running)

    def _ask(self, running: list[str]) -> None:
        named = running[:MAX_NAMED]
        if len(running) > MAX_NAMED:
            named.append(tr("and {count} more", count=len(running) - MAX_NAMED))
        question = self.question = QMessageBox(self._window)
        question.setWindowTitle(tr("Quit"))
        question.setText(tr("Work is under way. Quit anyway?"))
        kept = tr("Answers keep what has come. Downloads and evaluations can go on where they were at the next start.")
        question.setInformativeText("\n".join(named) + "\n\n" + kept)
        go = question.addButton(tr("Quit"), QMessageBox.ButtonRole.AcceptRole)
        stay = question.addButton(tr("Go on working"), QMessageBox.ButtonRole.RejectRole)
        question.setDefaultButton(stay)
        question.setEscapeButton(stay)
        go.clicked.connect(self.leave)
        question.finished.connect(self._asked)
        question.open()

    @Slot()
    def _asked(self) -> None:
        if self.question is not None:
            self.question.deleteLater()
            self.question = None


def _session_ends() -> bool:
    """The desktop is logging out: its own dialog has asked."""
    app = QGuiApplication.instance()
    return isinstance(app, QGuiApplication) and app.isSavingSession()
