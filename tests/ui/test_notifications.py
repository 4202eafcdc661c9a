"""Finished long work is told to the desktop: a real D-Bus session with a portal that writes down what it is given."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from PySide6.QtWidgets import QApplication, QWidget

from tests.ui.driver import Driver
from workbench.ui import status
from workbench.ui.notifications import Notifier

PORTAL = """
import json, os, sys
from PySide6 import QtDBus
from PySide6.QtCore import ClassInfo, QObject, QTimer, Slot
from PySide6.QtWidgets import QApplication, QWidget
from workbench.ui.notifications import INTERFACE, PATH, SERVICE, Notifier

@ClassInfo({"D-Bus Interface": INTERFACE})
class Portal(QObject):
    @Slot(str, "QVariantMap")
    def AddNotification(self, name, what):
        print(json.dumps([name, what]), flush=True)
        app.exit()

app = QApplication([])
app.setApplicationName("Model Workbench")
window, bus = QWidget(), QtDBus.QDBusConnection.sessionBus()
print(Notifier(window).notify("nobody listens"), flush=True)
portal = Portal()
assert bus.registerObject(PATH, portal, QtDBus.QDBusConnection.RegisterOption.ExportAllSlots)
assert bus.registerService(SERVICE)
print(Notifier(window).notify("The answer is there"), flush=True)
QTimer.singleShot(20000, lambda: app.exit(3))
sys.exit(app.exec())
"""


@pytest.mark.skipif(shutil.which("dbus-run-session") is None, reason="no D-Bus here")
def test_the_desktops_portal_gets_the_message() -> None:
    command = ["dbus-run-session", "--", sys.executable, "-c", PORTAL]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "False",
        "True",
        '["work-done", {"body": "The answer is there", "title": "Model Workbench"}]',
    ]


def test_long_work_that_is_done_is_told_and_short_work_is_not(window: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(Notifier, "notify", lambda _self, text: told.append(text) or True)
    bar = window.window.status
    bar.set_work("quick", "Working", None, None)
    bar.set_work("quick", "", None, None, done="Quick work is done")
    monkeypatch.setattr(status, "LONG_WORK_S", 0.0)
    bar.set_work("long", "Working", None, None)
    bar.set_work("long", "", None, None)  # stopped: there is nothing to tell
    assert told == []
    bar.set_work("long", "Working", None, None)
    bar.set_work("long", "", None, None, done="Long work is done")
    assert told == ["Long work is done"]
    window.window.registry["notifications.toggle"].trigger()
    assert not window.program.settings.value.appearance.notifications
    bar.set_work("long", "Working", None, None)
    bar.set_work("long", "", None, None, done="Long work is done")
    assert told == ["Long work is done"]


def test_an_answer_that_took_long_is_told(window: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(Notifier, "notify", lambda _self, text: told.append(text) or True)
    monkeypatch.setattr(status, "LONG_WORK_S", 0.0)
    window.send("short")
    assert len(told) == 1 and told[0].endswith(" has answered: 1: short")


def test_nothing_is_told_to_who_looks_at_the_window(qapp: QApplication, monkeypatch: pytest.MonkeyPatch) -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtGui import QGuiApplication

    window = QWidget()
    monkeypatch.setattr(QGuiApplication, "applicationState", lambda: Qt.ApplicationState.ApplicationActive)
    assert not Notifier(window).notify("seen already")
    window.deleteLater()
