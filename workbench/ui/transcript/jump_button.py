"""The round button above the transcript's lower edge that leads back to the end."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QColor, QEnterEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QWidget

from workbench.ui.icons import pixmap
from workbench.ui.tokens import LIGHT, Tokens
from workbench.ui.tr import tr

SIDE = 34


class JumpButton(QAbstractButton):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._tokens = LIGHT
        self.setAccessibleName(tr("Jump to latest"))
        self.setToolTip(tr("Jump to latest"))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the End key does the same
        self.resize(SIDE, SIDE)
        self.hide()

    def set_tokens(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self.update()

    def place(self, viewport: QRect, *, shown: bool) -> None:
        self.move(viewport.center().x() - SIDE // 2, viewport.bottom() - SIDE - 12)
        if shown == self.isHidden():
            self.setVisible(shown)
            self.raise_()

    def sizeHint(self) -> QSize:
        return QSize(SIDE, SIDE)

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(self._tokens.border), 1))
        painter.setBrush(QColor(self._tokens.hover if self.underMouse() else self._tokens.panel))
        painter.drawEllipse(self.rect().adjusted(1, 1, -2, -2))
        side = 18
        image = pixmap("arrow-down", self._tokens.text, side, self.devicePixelRatioF())
        painter.drawPixmap((SIDE - side) // 2, (SIDE - side) // 2, image)
        painter.end()
