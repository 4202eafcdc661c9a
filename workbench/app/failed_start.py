"""Tells that the window can't be completed: a file of the installation is missing or damaged."""

from __future__ import annotations

import sys
import traceback

from PySide6.QtWidgets import QMessageBox

from workbench.ui.tr import tr
from workbench.ui.window import MainWindow


def tell(window: MainWindow, error: BaseException) -> QMessageBox:
    """Say what happened and close the window after that. What was typed stands behind the message until then."""
    detail = "".join(traceback.format_exception(error))
    print(detail, file=sys.stderr)  # noqa: T201 - the log may not be open yet
    box = QMessageBox(window)
    box.setIcon(QMessageBox.Icon.Critical)
    box.setWindowTitle("Model Workbench")
    box.setText(tr("Model Workbench could not be started."))
    reason = str(error) or type(error).__name__
    box.setInformativeText(tr("{reason}. Your chats are safe; install the program again.", reason=reason))
    box.setDetailedText(detail)
    box.finished.connect(lambda _result: window.close())
    box.open()
    return box
