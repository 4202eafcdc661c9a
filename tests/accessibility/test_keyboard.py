"""The whole main job with the keyboard alone: every key goes to whatever has the focus."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QImage, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QAbstractItemView, QApplication, QWidget

from tests.accessibility.walk import every_screen
from tests.ui.driver import Driver
from tests.ui.watchdog import Watchdog


class Hands:
    """Two hands on a keyboard, no mouse."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        driver.window.activateWindow()
        driver.wait(driver.window.isActiveWindow)

    @property
    def focus(self) -> QWidget:
        popup = QApplication.activePopupWidget()
        if popup is not None:
            return popup.focusWidget() or popup
        if QApplication.activeWindow() is None:  # this platform gives the focus to nobody when a popup closes
            self.driver.window.activateWindow()
            self.driver.wait(self.driver.window.isActiveWindow)
        return QApplication.focusWidget() or self.driver.window

    def press(self, keys: str) -> None:
        combination = QKeySequence(keys)[0]
        QTest.keyClick(self.focus, combination.key(), combination.keyboardModifiers())
        QApplication.processEvents()

    def type(self, text: str) -> None:
        QTest.keyClicks(self.focus, text)
        QApplication.processEvents()

    def tab_to(self, name: str, *, most: int = 80) -> QWidget:
        """Press Tab until the control with this accessible name has the focus."""
        seen = []
        for _press in range(most):
            self.press("Tab")
            widget = QApplication.focusWidget()
            assert widget is not None
            said = widget.accessibleName() or (widget.text() if isinstance(widget, QAbstractButton) else "")
            seen.append(said)
            if name in said:
                return widget
        raise AssertionError(f"Tab never came to {name!r}: {seen}")


def test_the_main_job_is_done_without_a_mouse(window: Driver, watchdog: Watchdog) -> None:
    watchdog.cpu_limit_s = 0.6  # places are built one after the other, by design when they are first shown
    hands = Hands(window)
    # Ask, and read the answer.
    hands.type("name a colour")
    hands.press("Return")
    window.wait(lambda: any("1: name a colour" in text for _role, text in window.texts()))
    window.wait_idle()
    hands.tab_to("Transcript")
    view = window.page.conversation.view
    hands.press("Down")
    hands.press("Down")
    assert "1: name a colour" in view.items[view.current].text
    # Take another model.
    hands.press("Ctrl+M")
    window.wait(lambda: window.page.picker.isVisible())
    hands.type("other")
    hands.press("Return")
    window.wait(lambda: window.state.model_id == "fake:other")
    # Compare two columns.
    hands.press("Ctrl+2")
    page = window.window.page("compare")
    window.wait(lambda: len(page.board.shown) == 2 and window.program.jobs.pending == 0)
    for column, wanted in ((1, "echo"), (2, "other")):
        hands.press(f"Alt+{column}")
        hands.press("Ctrl+M")
        window.wait(lambda: QApplication.activePopupWidget() is not None or QApplication.focusWidget() is not None)
        hands.type(wanted)
        hands.press("Return")
        window.wait(lambda column=column, wanted=wanted: page.state.shown_columns[column - 1].model == f"fake:{wanted}")
    hands.press("Ctrl+L")
    hands.type("which is better")
    hands.press("Return")
    window.wait(lambda: page.state.turns and page.state.last_turn.done)
    window.wait(lambda: not page.state.active and window.program.jobs.pending == 0)
    # Vote for the second.
    window.wait(lambda: page.votes.is_open)
    hands.press("Alt+2")
    hands.press("2")
    window.wait(lambda: window.store.votes())
    # Find it in History.
    hands.press("Ctrl+5")
    history = window.window.page("history")
    hands.press("Ctrl+F")
    hands.type("better")
    window.wait(lambda: history.table.model().rowCount() == 2)
    hands.tab_to("Runs")
    hands.press("Down")
    hands.press("Return")
    window.wait(lambda: window.window.place == "compare")


def picture(widget: QWidget) -> QImage:
    """Of the place in its window that the widget takes."""
    return widget.window().grab(QRect(widget.mapTo(widget.window(), QPoint(0, 0)), widget.size())).toImage()


def without_visible_focus(hands: Hands, *, most: int) -> tuple[list[str], int]:
    """Which of the controls that Tab reaches look the same with and without the focus, and how many were seen."""
    seen: set[int] = set()
    unseen = []
    for _press in range(most):
        hands.press("Tab")
        widget = QApplication.focusWidget()
        if widget is None or id(widget) in seen:
            break
        seen.add(id(widget))
        if isinstance(widget, QAbstractItemView) and not widget.selectedIndexes():
            QTest.keyClick(widget, Qt.Key.Key_Down)  # its row shows the focus
            QApplication.processEvents()
        with_focus = picture(widget)
        widget.clearFocus()
        QApplication.processEvents()
        without = picture(widget)
        widget.setFocus()
        QApplication.processEvents()
        if with_focus == without:
            unseen.append(f"{type(widget).__name__}: {widget.accessibleName()}")
    return unseen, len(seen)


def test_the_focus_is_seen_on_every_control(window: Driver, watchdog: Watchdog) -> None:
    """Each control that Tab reaches in the chat changes its looks when it has the focus."""
    watchdog.cpu_limit_s = 0.6
    hands = Hands(window)
    window.send("hello")
    unseen, count = without_visible_focus(hands, most=60)
    assert count > 10
    assert unseen == []


def test_the_focus_is_seen_in_every_place(window: Driver, watchdog: Watchdog) -> None:
    """Of each place and part, the first controls that Tab reaches in the page itself."""
    watchdog.cpu_limit_s = 1.0
    hands = Hands(window)
    problems = {}
    for name, page in every_screen(window):
        page.setFocus()
        unseen, count = without_visible_focus(hands, most=25)
        if unseen or count < 3:
            problems[name] = unseen or [f"only {count} controls"]
    assert problems == {}
