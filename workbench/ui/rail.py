"""The left rail: one button for each place."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtCore import QEvent, Signal, Slot
from PySide6.QtGui import QIcon, QPalette
from PySide6.QtWidgets import QApplication, QButtonGroup, QFrame, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from workbench.ui.icons import Tinted
from workbench.ui.numbers import ICON_ABOVE_TEXT, set_number
from workbench.ui.places import Place
from workbench.ui.theme import DARK_BELOW, scaled
from workbench.ui.tr import tr

WIDTH = 72
ICON_SIZE = 20


class RailButton(Tinted, QToolButton):
    def __init__(self, place: Place, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.place_id = place.id
        self._setup_icon(place.icon, ICON_SIZE, QPalette.ColorRole.PlaceholderText)
        title = tr(place.title)
        self.setObjectName("railButton")
        self.setText(title)
        self.setAccessibleName(title)
        self.setToolTip(title)
        set_number(self, ICON_ABOVE_TEXT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)  # all as wide as the longest name
        self.setCheckable(True)
        self.toggled.connect(self.redraw_icon)
        self.redraw_icon()

    def show_keys(self, keys: str) -> None:
        """Say the place's shortcut, as the platform writes it."""
        self.setToolTip(f"{self.text()} ({keys})" if keys else self.text())

    def _current_icon(self) -> QIcon:
        self._icon_role = QPalette.ColorRole.PlaceholderText
        if self.isChecked():
            is_dark = QApplication.palette().color(QPalette.ColorRole.Window).lightness() < DARK_BELOW
            self._icon_role = QPalette.ColorRole.Link if is_dark else QPalette.ColorRole.Highlight
        return super()._current_icon()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.redraw_icon()


class Rail(QFrame):
    """Tells which place was chosen; `select` shows the choice."""

    chosen = Signal(str)

    def __init__(self, places: Iterable[Place], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("rail")
        self.setAccessibleName(tr("Places"))
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        self._buttons: dict[str, RailButton] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 10, 6, 8)
        column.setSpacing(4)
        self._top = QVBoxLayout()
        self._top.setSpacing(4)
        self._bottom = QVBoxLayout()
        self._bottom.setSpacing(4)
        column.addLayout(self._top)
        column.addStretch(1)
        column.addLayout(self._bottom)
        for place in places:
            self.add(place)
        self.set_scale(100)

    def add(self, place: Place) -> None:
        button = RailButton(place)
        button.clicked.connect(self._clicked)
        self._group.addButton(button)
        self._buttons[place.id] = button
        (self._bottom if place.bottom else self._top).addWidget(button)

    def set_scale(self, percent: int) -> None:
        """Make room for a text size."""
        self.setMinimumWidth(scaled(WIDTH, percent))
        for button in self._buttons.values():
            button.setMinimumSize(scaled(WIDTH, percent) - 12, 40 + scaled(12, percent))

    def show_keys(self, keys_of: Callable[[str], str]) -> None:
        """Say every place's shortcut; `keys_of` knows it by the place's id. The first paint can't know them yet."""
        for place_id, button in self._buttons.items():
            button.show_keys(keys_of(place_id))

    def select(self, place_id: str) -> None:
        if place_id in self._buttons:
            self._buttons[place_id].setChecked(True)

    @Slot()
    def _clicked(self) -> None:
        button = self.sender()
        if isinstance(button, RailButton):
            self.chosen.emit(button.place_id)
