"""Tells the desktop that long work is done, while the window is not in front.

On Linux through the desktop's portal (XDG Desktop Portal, interface Notification); where there is none, and on other
systems, through an icon in the tray that is there for as long as the message. The entry in the task bar asks for
attention in any case.
"""

from __future__ import annotations

import sys
from typing import Any

from PySide6.QtCore import SLOT, QCoreApplication, QObject, Qt, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QSystemTrayIcon, QWidget

from workbench.ui.screens import raise_window

SHOWN_MS = 10_000
SERVICE = "org.freedesktop.portal.Desktop"
PATH = "/org/freedesktop/portal/desktop"
INTERFACE = "org.freedesktop.portal.Notification"
MESSAGE_ID = "work-done"
"""A newer message takes the place of an older one."""
SHOW_WINDOW = "show-window"
"""What a click on the message asks for. The portal tells us by a signal, as the name has no "app." before it."""


class Notifier(QObject):
    """`notify` shows a message; a click on it brings the window to the front."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._tray: QSystemTrayIcon | None = None
        self._listens = False
        """To the portal's signal of clicks."""

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
        call.setArguments([MESSAGE_ID, {"title": title, "body": text, "default-action": SHOW_WINDOW}])
        if not self._listens:
            slot: Any = SLOT("_clicked(QString,QString,QVariantList)")
            self._listens = bus.connect(SERVICE, PATH, INTERFACE, "ActionInvoked", self, slot)
        return bool(bus.send(call))

    @Slot(str, str, "QVariantList")
    def _clicked(self, message_id: str, action: str, _parameters: list[Any]) -> None:
        """By X11 the window comes to the front. On Wayland it asks for attention: what would let it come forward, the
        token among the parameters, is a map in a variant, which PySide's QDBusArgument can't read."""
        if (message_id, action) == (MESSAGE_ID, SHOW_WINDOW):
            self._raise()

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
