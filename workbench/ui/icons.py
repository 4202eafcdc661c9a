"""Lucide line icons, tinted. Widgets here redraw their icon when the palette changes."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from PySide6 import QtCore
from PySide6.QtCore import QByteArray, QEvent, QSize
from PySide6.QtGui import QColor, QEnterEvent, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QPushButton, QToolButton, QWidget

from workbench.core.paths import bundled
from workbench.ui.numbers import FOCUS_BY_TAB, ICON_BESIDE_TEXT, set_number
from workbench.ui.theme import scaled

STROKE_WIDTH = 1.75
_ratios = [1.0, 2.0]
"""Pixel ratios icons are drawn for. The first paint's are for its own screen; `draw_for_all_screens` comes after it."""


_scale = [100]
"""The text size in percent: icons of buttons and labels grow with it."""


def set_scale(percent: int) -> None:
    """Draw the icons of all buttons and labels for this text size."""
    if percent != _scale[0]:
        _scale[0] = percent
        _redraw_all()


def _redraw_all() -> None:
    for widget in QApplication.allWidgets():
        if isinstance(widget, Tinted):
            widget.redraw_icon()


def draw_for_first_screen() -> None:
    """Draw icons from now on at the primary screen's pixel ratio only."""
    _ratios[:] = [QApplication.primaryScreen().devicePixelRatio()]


def draw_for_all_screens() -> None:
    """Draw icons for pixel ratios up to 3, those that stand already once more."""
    _ratios[:] = [1.0, 2.0] if QApplication.primaryScreen().devicePixelRatio() <= 2 else [1.0, 2.0, 3.0]
    icon.cache_clear()
    _redraw_all()


@lru_cache(maxsize=1)
def _folder() -> Path:
    return bundled("resources") / "icons"


@lru_cache(maxsize=256)
def pixmap(name: str, color: str, size: int, ratio: float = 1.0) -> QPixmap:
    """The icon drawn in `color` (#rrggbb), `size` device-independent pixels wide."""
    pixels = round(size * ratio)
    result = QPixmap(pixels, pixels)
    result.fill(QColor(0, 0, 0, 0))
    source = (_folder() / f"{name}.svg").read_text(encoding="utf-8")
    source = source.replace("currentColor", color).replace('stroke-width="2"', f'stroke-width="{STROKE_WIDTH}"')
    painter = QPainter(result)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    QSvgRenderer(QByteArray(source.encode())).render(painter)
    painter.end()
    result.setDevicePixelRatio(ratio)
    return result


def in_scale(pixels: int) -> int:
    """`pixels` at the present text size."""
    return scaled(pixels, _scale[0])


@lru_cache(maxsize=256)
def icon(name: str, color: str, size: int = 18) -> QIcon:
    """The icon in the pixel ratios of `_ratios`."""
    result = QIcon()
    for ratio in _ratios:
        result.addPixmap(pixmap(name, color, size, ratio))
    return result


def role_color(widget: QWidget, role: QPalette.ColorRole) -> str:
    return QColor(widget.palette().color(QPalette.ColorGroup.Active, role)).name()


class Tinted:
    """Shared by the widgets below: an icon by name, in the colour of a palette role."""

    _icon_name: str
    _icon_size: int
    _icon_role: QPalette.ColorRole
    _tint: str = ""

    def _setup_icon(self, name: str, size: int, role: QPalette.ColorRole) -> None:
        self._icon_name, self._icon_size, self._icon_role = name, size, role

    def _current_icon(self) -> QIcon:
        self._tint = QApplication.palette().color(QPalette.ColorGroup.Active, self._icon_role).name()
        return icon(self._icon_name, self._tint, self._pixels)

    @property
    def _pixels(self) -> int:
        return in_scale(self._icon_size)

    def redraw_icon(self) -> None:
        """The same icon, drawn anew."""
        if self._icon_name and isinstance(self, QAbstractButton):
            self.setIcon(self._current_icon())
            self.setIconSize(QSize(self._pixels, self._pixels))

    def enterEvent(self, event: QEnterEvent) -> None:
        """The hand comes with the mouse: before the first paint its name alone would cost 15 ms (`ui.numbers`)."""
        super().enterEvent(event)  # type: ignore[misc]
        if isinstance(self, QAbstractButton):
            self.setCursor(QtCore.Qt.CursorShape.PointingHandCursor)

    def _color_changed(self) -> bool:
        return QApplication.palette().color(QPalette.ColorGroup.Active, self._icon_role).name() != self._tint


class IconButton(Tinted, QToolButton):
    """A flat button with a line icon, an accessible name and a tool tip that shows its shortcut."""

    def __init__(
        self,
        name: str,
        title: str,
        parent: QWidget | None = None,
        *,
        text: str = "",
        size: int = 18,
        role: QPalette.ColorRole = QPalette.ColorRole.PlaceholderText,
        object_name: str = "",
    ) -> None:
        super().__init__(parent)
        self._setup_icon(name, size, role)
        if object_name:
            self.setObjectName(object_name)
        self.set_title(title)
        set_number(self, FOCUS_BY_TAB)
        if text:
            self.setText(text)
            set_number(self, ICON_BESIDE_TEXT)
        self.redraw_icon()

    def set_title(self, title: str, shortcut: str = "") -> None:
        self.setAccessibleName(title)
        self.setToolTip(f"{title} ({shortcut})" if shortcut else title)

    def set_icon(self, name: str, role: QPalette.ColorRole | None = None) -> None:
        if role is not None:
            self._icon_role = role
        self._icon_name = name
        self.setIcon(self._current_icon())

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._color_changed():
            self.setIcon(self._current_icon())


class PushButton(Tinted, QPushButton):
    """A bordered button; `primary` is filled with the accent colour, `danger` written in the warning colour."""

    def __init__(
        self,
        text: str,
        parent: QWidget | None = None,
        *,
        icon_name: str = "",
        primary: bool = False,
        object_name: str = "",
    ) -> None:
        super().__init__(f" {text}" if icon_name else text, parent)
        self.setAccessibleName(text)
        role = QPalette.ColorRole.HighlightedText if primary else QPalette.ColorRole.ButtonText
        self._setup_icon(icon_name, 16, role)
        if primary or object_name:
            self.setObjectName(object_name or "primary")
        if icon_name:
            self.redraw_icon()

    def set_icon(self, name: str) -> None:
        if name != self._icon_name:
            self._icon_name = name
            self.redraw_icon()

    def set_primary(self, primary: bool) -> None:
        """Fill it with the accent colour, or not: it is the one that is advised."""
        name = "primary" if primary else ""
        if self.objectName() != name:
            self.setObjectName(name)
            self._icon_role = QPalette.ColorRole.HighlightedText if primary else QPalette.ColorRole.ButtonText
            self.style().unpolish(self)
            self.style().polish(self)
            self.redraw_icon()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._icon_name and self._color_changed():
            self.setIcon(self._current_icon())


class IconLabel(Tinted, QLabel):
    """A small icon that is not a button."""

    def __init__(
        self,
        name: str,
        size: int = 16,
        role: QPalette.ColorRole = QPalette.ColorRole.PlaceholderText,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._setup_icon(name, size, role)
        self._color = ""
        self._draw()

    def set_icon(self, name: str, color: str = "") -> None:
        """`color` (#rrggbb) overrides the palette role."""
        self._icon_name, self._color = name, color
        self._draw()

    def _draw(self) -> None:
        drawn = icon(self._icon_name, self._color, self._pixels) if self._color else self._current_icon()
        self.setPixmap(drawn.pixmap(QSize(self._pixels, self._pixels), self.devicePixelRatioF()))

    def redraw_icon(self) -> None:
        self._draw()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._color_changed():
            self._draw()
