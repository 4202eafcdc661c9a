"""Finished long work is told to the desktop: a real D-Bus session with a portal that writes down what it is given."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from typing import ClassVar

import pytest
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QGuiApplication, QIcon
from PySide6.QtWidgets import QApplication, QWidget

from tests.ui.driver import Driver
from workbench.ui import notifications, status
from workbench.ui.compare.page import ComparePage
from workbench.ui.notifications import Notifier

PORTAL = """
import json, sys
from PySide6 import QtDBus
from PySide6.QtCore import ClassInfo, QObject, QTimer, Slot
from PySide6.QtWidgets import QApplication, QWidget
from workbench.ui.notifications import INTERFACE, PATH, SERVICE, Notifier

@ClassInfo({"D-Bus Interface": INTERFACE})
class Portal(QObject):
    @Slot(str, "QVariantMap")
    def AddNotification(self, name, what):
        print(json.dumps([name, what], sort_keys=True), flush=True)
        click = QtDBus.QDBusMessage.createSignal(PATH, INTERFACE, "ActionInvoked")
        for action in ("something else", what["default-action"]):
            click.setArguments([name, action, []])
            print(window.isVisible(), flush=True)
            desktop.send(click)

app = QApplication([])
app.setApplicationName("Model Workbench")

class Window(QWidget):
    def showEvent(self, event):
        print("shown", flush=True)
        app.exit()

window = Window()
desktop = QtDBus.QDBusConnection.connectToBus(QtDBus.QDBusConnection.BusType.SessionBus, "desktop")
print(Notifier(window).notify("nobody listens"), flush=True)
portal = Portal()
assert desktop.registerObject(PATH, portal, QtDBus.QDBusConnection.RegisterOption.ExportAllSlots)
assert desktop.registerService(SERVICE)
notifier = Notifier(window)
print(notifier.notify("The answer is there"), flush=True)
QTimer.singleShot(20000, lambda: app.exit(3))
sys.exit(app.exec())
"""


@pytest.mark.skipif(shutil.which("dbus-run-session") is None, reason="no D-Bus here")
def test_the_desktops_portal_gets_the_message_and_a_click_on_it_brings_the_window() -> None:
    command = ["dbus-run-session", "--", sys.executable, "-c", PORTAL]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "False",
        "True",
        '["work-done", {"body": "The answer is there", "default-action": "show-window", "title": "Model Workbench"}]',
        "False",
        "False",
        "shown",
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


def test_a_comparison_that_took_long_is_told_and_a_stopped_one_is_not(
    window: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(Notifier, "notify", lambda _self, text: told.append(text) or True)
    monkeypatch.setattr(status, "LONG_WORK_S", 0.0)
    page = window.window.show_place("compare")
    model, shown = window.program.slot.value.catalog.get("fake:echo"), threading.Event()
    answer = model._echo
    monkeypatch.setattr(model, "_echo", lambda *asked: iter([*answer(*asked)] if shown.wait(20) else []))
    ask_columns(window, page, "fake:echo", "hello")
    window.wait(lambda: window.window.status.running)
    shown.set()
    window.wait(lambda: told)
    assert told == ["2 models have answered."]
    ask_columns(window, page, "fake:slow", "on and on")
    window.wait(lambda: page.state.running_here)
    page.state.stop()
    window.wait(lambda: not page.state.active and not window.window.status.running)
    window.window.show_place("chat")
    assert told == ["2 models have answered."]


def ask_columns(window: Driver, page: ComparePage, model_id: str, prompt: str) -> None:
    for column in page.state.columns:
        page.state.change(column.key, model=model_id)
    page.composer.set_text(prompt)
    page.composer.submit()
    window.wait(lambda: not page.state.sending)


class Tray(QObject):
    """Stands in for the system's: this machine has none."""

    messageClicked, activated = Signal(), Signal()  # noqa: N815 - as Qt names it
    available = True
    shown: ClassVar[list[tuple[str, str]]] = []
    visible = False

    def __init__(self, icon: QIcon, parent: QObject) -> None:
        super().__init__(parent)
        self._icon = icon

    @staticmethod
    def isSystemTrayAvailable() -> bool:
        return Tray.available

    def icon(self) -> QIcon:
        return self._icon

    def show(self) -> None:
        self.visible = True

    def hide(self) -> None:
        self.visible = False

    def showMessage(self, title: str, text: str, _icon: QIcon, _msecs: int) -> None:
        Tray.shown.append((title, text))


def test_without_a_portal_the_tray_shows_it_and_a_click_brings_the_window(
    qapp: QApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    qapp.setApplicationName("Model Workbench")
    monkeypatch.setattr(notifications, "QSystemTrayIcon", Tray)
    monkeypatch.setattr(Notifier, "_by_portal", lambda *_: False)
    monkeypatch.setattr(QGuiApplication, "applicationState", lambda: Qt.ApplicationState.ApplicationInactive)
    Tray.shown.clear()
    window = QWidget()
    notifier = Notifier(window)
    assert notifier.notify("The answer is there")
    assert notifier.notify("Another one")
    assert Tray.shown == [("Model Workbench", "The answer is there"), ("Model Workbench", "Another one")]
    (tray,) = notifier.findChildren(Tray)
    assert tray.visible
    window.showMinimized()
    tray.messageClicked.emit()
    assert window.isVisible() and not window.isMinimized()
    assert not tray.visible
    Tray.available = False
    assert not notifier.notify("nobody shows it")
    Tray.available = True
    window.deleteLater()


def test_nothing_is_told_to_who_looks_at_the_window(qapp: QApplication, monkeypatch: pytest.MonkeyPatch) -> None:
    window = QWidget()
    monkeypatch.setattr(QGuiApplication, "applicationState", lambda: Qt.ApplicationState.ApplicationActive)
    assert not Notifier(window).notify("seen already")
    window.deleteLater()
