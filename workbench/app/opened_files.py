"""macOS names the files to open in an event of the application, not as arguments."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Signal
from PySide6.QtGui import QFileOpenEvent
from PySide6.QtWidgets import QApplication


class FileOpeningApplication(QApplication):
    """Used on macOS only. The event comes when the event loop runs, so there is time to connect."""

    file_opened = Signal(list)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.FileOpen and isinstance(event, QFileOpenEvent) and event.file():
            self.file_opened.emit([event.file()])
            return True
        return super().event(event)
