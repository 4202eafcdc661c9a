"""What a user does in the Compare place."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QAbstractButton, QComboBox, QLabel, QLineEdit, QTabBar, QWidget

from tests.ui.driver import Driver
from workbench.ui.compare.column import ColumnPanel
from workbench.ui.compare.columns import Column
from workbench.ui.compare.page import ComparePage


class CompareDriver:
    def __init__(self, window: Driver) -> None:
        self.window = window
        self.wait = window.wait
        self.wait(lambda: window.program.slot.value is not None)
        window.click(next(b for b in window.window.rail.findChildren(QAbstractButton) if b.text() == "Compare"))
        page = window.window.page("compare")
        assert isinstance(page, ComparePage)
        self.page = page
        window.window.resize(1280, 800)
        self.wait(lambda: self.state.models and len(self.page.board.panels) == len(self.state.shown_columns))
        self.wait(lambda: window.program.jobs.pending == 0)

    @property
    def state(self):  # type: ignore[no-untyped-def]
        return self.page.state

    @property
    def panels(self) -> list[ColumnPanel]:
        return self.page.board.shown

    def use(self, *models: str) -> None:
        self.state.set_columns([Column(key=f"k{n}", model=f"fake:{name}") for n, name in enumerate(models)])

    def texts(self, place: int) -> list[str]:
        """The texts of a column, prompts and answers."""
        return [item.text.strip() for item in self.panels[place].view.items]

    def type(self, text: str) -> None:
        self.window.qtbot.keyClicks(self.page.composer.edit, text)

    def press(self, keys: str, widget: QWidget | None = None) -> None:
        combination = QKeySequence(keys)[0]
        target = widget or self.page.composer.edit
        self.window.qtbot.keyClick(target, combination.key(), combination.keyboardModifiers())

    def send(self, text: str, *, finish: bool = True) -> None:
        before = len(self.state.turns)
        self.type(text)
        self.press("Return")
        self.wait(lambda: len(self.state.turns) > before)
        if finish:
            self.wait_done()

    def wait_done(self) -> None:
        self.wait(
            lambda: (
                not self.state.active
                and not self.state.sending
                and self.state.last_turn.done
                and not any(item.streaming for panel in self.panels for item in panel.view.items)
                and self.window.program.jobs.pending == 0
            )
        )

    def click(self, widget: QWidget) -> None:
        self.window.qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)

    def wait_jobs(self) -> None:
        self.wait(lambda: self.window.program.jobs.pending == 0)


def told_texts(root: QWidget, *, visible_only: bool) -> Iterator[str]:
    """Everything a widget and those in it say: to the eye, on hovering, and to a screen reader."""
    for widget in [root, *root.findChildren(QWidget)]:
        if visible_only and not widget.isVisible():
            continue
        yield from (widget.toolTip(), widget.statusTip(), widget.whatsThis())
        yield from (widget.accessibleName(), widget.accessibleDescription(), widget.windowTitle())
        if isinstance(widget, QLabel | QAbstractButton | QLineEdit):
            yield widget.text()
        if isinstance(widget, QComboBox):
            yield from (widget.itemText(row) for row in range(widget.count()))
        if isinstance(widget, QTabBar):
            for place in range(widget.count()):
                yield from (widget.tabText(place), widget.tabToolTip(place), widget.accessibleTabName(place))
        if hasattr(widget, "placeholderText"):
            yield widget.placeholderText()
