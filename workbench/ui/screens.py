"""Where the window opens: as it was, as long as it can be reached there. And how it comes to the front."""

from __future__ import annotations

from PySide6 import QtCore
from PySide6.QtCore import QByteArray, QPoint, QRect, QSize
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

FIRST_SIZE = QSize(1280, 820)
FIRST_WIDTH = 960
"""Enough for the chat with its list and its options."""
REACHABLE = QSize(160, 40)
"""Of the window's upper edge at least this much must be on a screen, so that it can be taken hold of."""


def restore_geometry(window: QWidget, geometry: QByteArray) -> None:
    """Put the window where it was; into the middle of the primary screen at the first start, or where it can't be
    reached any more because a monitor is gone or its resolution has changed."""
    restored = not geometry.isEmpty() and window.restoreGeometry(geometry)
    if restored and is_reachable(
        window.geometry(), [screen.availableGeometry() for screen in QGuiApplication.screens()]
    ):
        return
    available = QGuiApplication.primaryScreen().availableGeometry()
    wanted = window.size() if restored else QSize(max(FIRST_SIZE.width(), FIRST_WIDTH), FIRST_SIZE.height())
    size = wanted.boundedTo(QSize(max(available.width(), FIRST_WIDTH), available.height()))
    window.resize(size)
    window.move(available.center() - QPoint(size.width() // 2, size.height() // 2))


def is_reachable(window: QRect, screens: list[QRect]) -> bool:
    """Whether its upper edge can be taken hold of on one of the screens, and it is no larger than that screen."""
    edge = QRect(window.left(), window.top(), window.width(), REACHABLE.height())
    for screen in screens:
        shown = edge.intersected(screen)
        fits = window.width() <= screen.width() and window.height() <= screen.height()
        if fits and shown.width() >= REACHABLE.width() and shown.height() >= REACHABLE.height() // 2:
            return True
    return False


def raise_window(window: QWidget) -> None:
    """Bring it to the front, also from where it was minimised to."""
    state = QtCore.Qt.WindowState
    window.setWindowState((window.windowState() & ~state.WindowMinimized) | state.WindowActive)
    window.show()
    window.raise_()
    window.activateWindow()
