"""What a user does with the window, in the words of the tests: real clicks and keys."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from workbench.app.main import Program
from workbench.ui.chat.page import ChatPage

WAIT_MS = 20_000


class Driver:
    def __init__(self, program: Program, qtbot: QtBot) -> None:
        self.program = program
        self.qtbot = qtbot
        self._closed = False

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.program.close()
            self.program.window.deleteLater()
            self.program.deleteLater()
            QApplication.sendPostedEvents(None, 0)
            QApplication.processEvents()

    def send_while_opening(self, text: str) -> None:
        """Type a prompt and press Enter before the window is complete (`start(complete=False)`); wait until it is."""
        self.type(text)
        self.press("Return")
        self.wait(lambda: self.program.is_complete)

    # --- finding ---------------------------------------------------------------------------------------------
    @property
    def window(self):  # type: ignore[no-untyped-def]
        return self.program.window

    @property
    def page(self) -> ChatPage:
        page = self.window.page("chat")
        assert isinstance(page, ChatPage)
        return page

    @property
    def state(self):  # type: ignore[no-untyped-def]
        return self.page.state

    @property
    def composer(self):  # type: ignore[no-untyped-def]
        return self.page.composer

    @property
    def store(self):  # type: ignore[no-untyped-def]
        assert self.program.slot.value is not None
        return self.program.slot.value.store

    def texts(self) -> list[tuple[str, str]]:
        """(role, text) of the transcript."""
        return [(item.role, item.text.strip()) for item in self.page.conversation.view.items]

    # --- waiting ---------------------------------------------------------------------------------------------
    def wait(self, condition: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(condition()), timeout=WAIT_MS)

    def wait_ready(self) -> None:
        self.wait(lambda: self.program.slot.value is not None and self.state.models)
        self.wait(lambda: self.program.jobs.pending == 0)

    def wait_idle(self) -> None:
        """No answer is being written and nothing is being read."""
        self.wait(lambda: not self.state.active and not self.state.sending and self.program.jobs.pending == 0)

    # --- doing -----------------------------------------------------------------------------------------------
    def use(self, model_id: str) -> None:
        self.state.set_model(model_id)

    def type(self, text: str) -> None:
        self.qtbot.keyClicks(self.composer.edit, text)

    def press(self, keys: str, widget: QWidget | None = None) -> None:
        """A shortcut or key, as if pressed in the widget with the focus."""
        combination = QKeySequence(keys)[0]
        target = widget or self.composer.edit
        self.qtbot.keyClick(target, combination.key(), combination.keyboardModifiers())

    def shortcut(self, keys: str) -> None:
        """A window shortcut. The offscreen platform has no active window without this."""
        self.window.activateWindow()
        self.wait(self.window.isActiveWindow)
        combination = QKeySequence(keys)[0]
        self.qtbot.keyClick(self.window, combination.key(), combination.keyboardModifiers())

    def click(self, widget: QWidget) -> None:
        self.qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)

    def send(self, text: str) -> None:
        """Type a prompt, press Enter, and wait until the answer is there."""
        before = len(self.state.path)
        self.type(text)
        self.press("Return")
        self.wait(lambda: len(self.state.path) > before)
        self.wait_idle()

    def palette(self, text: str) -> None:
        """Run a command by typing its name."""
        self.shortcut("Ctrl+K")
        field = self.window.command_palette.field
        self.wait(field.isVisible)
        self.qtbot.keyClicks(field, text)
        QTest.keyClick(field, Qt.Key.Key_Return)
