"""An error in a method that Qt calls is an exception, not the end of the process."""

from __future__ import annotations

import subprocess
import sys

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QDialog, QPushButton
from pytestqt.qtbot import QtBot

import workbench.ui  # noqa: F401  (guards what is defined below)

RAISED_IN_C = """
import workbench.ui
from PySide6.QtCore import QSize
from PySide6.QtWidgets import QApplication, QLabel, QWidget
from shiboken6 import Shiboken

app = QApplication(["test", "-platform", "offscreen"])
gone = QLabel()
Shiboken.delete(gone)

class Widget(QWidget):
    def __init__(self, fail):
        super().__init__()
        self._fail = fail

    def sizeHint(self):
        self._fail()
        return QSize(1, 1)

class Derived(Widget):
    def sizeHint(self):
        return super().sizeHint()

for kind in (Widget, Derived):
    for fail in (lambda: [][0], lambda: gone.text(), lambda: next(iter(())), lambda: len(5), lambda: {}["none"]):
        try:
            kind(fail).adjustSize()
        except Exception as error:
            print(type(error).__name__)
"""


def test_errors_that_c_code_raises_in_an_override_come_out_as_exceptions() -> None:
    done = subprocess.run([sys.executable, "-c", RAISED_IN_C], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr)
    assert done.stdout.split() == ["IndexError", "RuntimeError", "StopIteration", "TypeError", "KeyError"] * 2


class Dialog(QDialog):
    told = Signal(int, str)

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[object] = []

    def accept(self) -> None:
        """Its words."""
        self.calls.append("accepted")

    @Slot(int)
    def done(self, result: int = 7) -> None:
        self.calls.append(result)


def test_a_guarded_method_keeps_its_parameters(qtbot: QtBot) -> None:
    dialog = Dialog()
    qtbot.addWidget(dialog)
    button = QPushButton(dialog)
    button.clicked.connect(dialog.accept)  # would get a bool if it took one
    button.click()
    dialog.told.connect(dialog.done)
    dialog.told.emit(3, "three")
    dialog.done()
    assert dialog.calls == ["accepted", 3, 7]
    assert Dialog.accept.__doc__ == "Its words."
