"""Tells the desktop that long work is done, while the window is not in front.

On Linux through the desktop's portal (XDG Desktop Portal, interface Notification); where there is none, and on other
systems, through an icon in the tray that is there for as long as the message. The entry in the task bar asks for
attention in any case.
"""

from __future__ import annotations

import sys
from typing import Any

from PySide6.QtCore import QCoreApplication, QObject, Qt, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QSystemTrayIcon, QWidget

from workbench.ui.screens import raise_window

SHOWN_MS = 10_000
SERVICE = "org.freedesktop.portal.Desktop"
PATH = "/org/freedesktop/portal/desktop"
INTERFACE = "org.freedesktop.portal.Notification"
MESSAGE_ID = "work-done"
"""A newer message takes the place of an older one."""


class Notifier(QObject):
    """`notify` shows a message; a click on the one in the tray brings the window to the front."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._tray: QSystemTrayIcon | None = None

    @Slot(str)
    def notify(self, text: str) -> bool:
        """False where the window is in front (the user sees it) or nothing can show a message."""
        if QGuiApplication.applicationState() == Qt.ApplicationState.ApplicationActive:
            return False
        QApplication.alert(self._window)
        return (sys.platform.startswith("linux") and self._by_portal(text)) or self._by_tray(text)

    def _by_portal(self, text: str) -> bool:
        from PySide6 import QtDBus  # noqa: PLC0415 - loaded with the first message

        bus = QtDBus.QDBusConnection.sessionBus()
        interface: Any = bus.interface() if bus.isConnected() else None
        if interface is None or not interface.isServiceRegistered(SERVICE).value():
            return False
        call = QtDBus.QDBusMessage.createMethodCall(SERVICE, PATH, INTERFACE, "AddNotification")
        title = QCoreApplication.applicationName()
        call.setArguments([MESSAGE_ID, {"title": title, "body": text}])
        return bool(bus.send(call))

    def _by_tray(self, text: str) -> bool:
        if not QSystemTrayIcon.isSystemTrayAvailable():
            return False
        if self._tray is None:
            self._tray = QSystemTrayIcon(QGuiApplication.windowIcon(), self)
            self._tray.messageClicked.connect(self._raise)
            self._tray.activated.connect(self._raise)
        self._tray.show()
        self._tray.showMessage(QCoreApplication.applicationName(), text, self._tray.icon(), SHOWN_MS)
        return True

    @Slot()
    def _raise(self) -> None:
        if self._tray is not None:
            self._tray.hide()
        raise_window(self._window)
