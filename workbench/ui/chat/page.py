"""The Chat place's widgets: transcript or welcome, composer, and the panel of options at the right.

It is part of the first paint: it shows itself and takes text with nothing but Qt imported. `begin` gives it the
window's context; from then on the desk (`ui.chat.desk`) does what the user asks.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from PySide6 import QtCore
from PySide6.QtCore import QByteArray, QSize, Signal, Slot
from PySide6.QtGui import QPainter, QPaintEvent, QPalette, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from workbench.ui.chat.composer import Composer
from workbench.ui.chat.welcome import Welcome
from workbench.ui.icons import IconButton, in_scale, pixmap
from workbench.ui.numbers import AT_RIGHT, set_number
from workbench.ui.opening import Opening
from workbench.ui.places import Page
from workbench.ui.theme import LARGEST_SCALE, scaled
from workbench.ui.tr import tr
from workbench.ui.widgets import ElidedLabel, label

if TYPE_CHECKING:
    from workbench.ui.chat.conversation import Conversation
    from workbench.ui.chat.desk import ChatDesk
    from workbench.ui.chat.model_picker import ModelPicker
    from workbench.ui.chat.remedies import RemedyBar
    from workbench.ui.chat.session_list import SessionList
    from workbench.ui.chat.side_panel import SidePanel
    from workbench.ui.chat.state import ChatState
    from workbench.ui.context import Context

PANEL_WIDTH = 272
MAIN_WIDTH = 366
"""The panel makes room where the conversation would become narrower than this."""
MODEL_NAME_WIDTH = 260
CHEVRON_SIZE = 13
HEAD_SPACE = 64
"""Pixels of the head that are neither widget: margins and gaps."""
TEXT_WIDTH = 860
"""Widest column of text; wider lines are hard to read."""


class ModelButton(IconButton):
    """The model's name with an arrow at its end: a click opens the list of models."""

    def sizeHint(self) -> QSize:
        return super().sizeHint() + QSize(in_scale(CHEVRON_SIZE) + 4, 0)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        side, gap = in_scale(CHEVRON_SIZE), 8
        x = gap if self.isRightToLeft() else self.width() - side - gap
        # Without QIcon.paint and QColor(…), which make Qt's enums: that would take 45 ms of the first paint.
        color = self.palette().color(QPalette.ColorGroup.Active, QPalette.ColorRole.PlaceholderText).name()
        drawn = pixmap("chevron-down", color, side, self.devicePixelRatioF())
        painter = QPainter(self)
        painter.drawPixmap(x, (self.height() - side) // 2 + 1, drawn)
        painter.end()


class Middle(QFrame):
    """Between the list and the options."""

    resized = Signal()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.resized.emit()


class ChatPage(Page):
    desk: ChatDesk
    """There once the page has begun."""
    panel_toggled = Signal()

    def __init__(self, context: Context | None = None, opening: Opening | None = None) -> None:
        """With `opening` alone the page is only shown, until `begin`."""
        super().__init__(context)
        if opening is None:
            opening = Opening() if context is None else Opening.of_state(context.state.value, context.theme.scale)
        self.panel_open = opening.side_panel_open
        self._panel_wanted = False
        """The panel was asked for where there is no room for it."""
        self._scale = opening.look.text_scale
        self._model_name = opening.model_name
        self._build(opening)
        self.set_scale(self._scale)
        if context is not None:
            self.begin(context)

    def begin(self, context: Context) -> None:
        """Work with the window's shared parts from now on."""
        self.context = context
        self.desk = importlib.import_module("workbench.ui.chat.desk").ChatDesk(self, context)
        self.side_list = self.desk.sessions
        self.composer.show_focus()

    @property
    def has_begun(self) -> bool:
        return hasattr(self, "desk")

    # --- building --------------------------------------------------------------------------------------------
    def _build(self, opening: Opening) -> None:
        outer = QHBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        self.splitter = QSplitter()
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        main = self._main = Middle()
        main.setObjectName("chatMain")
        main.resized.connect(self._fit_model_name)
        column = QVBoxLayout(main)
        column.setContentsMargins(0, 0, 0, 12)
        column.setSpacing(0)
        self._build_head(column)
        self.stack = QStackedWidget()
        self.empty = QWidget()
        self.stack.addWidget(self.empty)
        self.welcome = Welcome()
        self.stack.addWidget(self.welcome)
        self.stack.setCurrentWidget(self.empty if opening.resumes else self.welcome)
        column.addWidget(self.stack, 1)
        self._build_lower(column, opening)
        self.splitter.addWidget(main)
        self.panel: QWidget = QFrame()
        """The place of the options; they come with `begin`."""
        self.panel.setObjectName("sidePanel")
        self.splitter.addWidget(self.panel)
        self.splitter.setStretchFactor(0, 1)
        self.splitter.setStretchFactor(1, 0)
        self.panel.setVisible(self.panel_open)
        outer.addWidget(self.splitter)
        self.splitter.setSizes([900, 320])
        saved = opening.splitters.get("chat", "")
        if saved:
            self.splitter.restoreState(QByteArray.fromBase64(saved.encode()))

    def _build_lower(self, column: QVBoxLayout, opening: Opening) -> None:
        lower = QWidget()
        row = self._lower_row = QHBoxLayout(lower)
        self.leave_for_scroll_bar(0)
        row.addStretch(1)
        self._box = box = QWidget()
        self.lower_box = QVBoxLayout(box)
        self.lower_box.setContentsMargins(0, 0, 0, 0)
        self.lower_box.setSpacing(8)
        self.composer = Composer(ready=False)
        self.composer.set_model(None)
        self.composer.set_text(opening.draft)
        self.welcome.prompt_chosen.connect(self._use_prompt)
        self.lower_box.addWidget(self.composer)
        row.addWidget(box, 1000)
        row.addStretch(1)
        column.addWidget(lower)

    def _build_head(self, column: QVBoxLayout) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(14, 8, 10, 8)
        head.setSpacing(6)
        self.model_button = ModelButton("cpu", tr("Choose a model"), text="…", size=17, object_name="modelButton")
        head.addWidget(self.model_button)
        self.model_badge = label("", "badge")
        self.model_badge.hide()
        head.addWidget(self.model_badge)
        head.addSpacing(12)
        self.title = ElidedLabel("", "stat")
        set_number(self.title, AT_RIGHT)
        head.addWidget(self.title, 1)
        self.panel_button = IconButton("sliders-horizontal", tr("Show or hide the options"))
        self.panel_button.clicked.connect(self.toggle_panel)
        head.addWidget(self.panel_button)
        column.addLayout(head)

    # --- parts others ask for --------------------------------------------------------------------------------
    @property
    def state(self) -> ChatState:
        return self.desk.state

    @property
    def sessions(self) -> SessionList:
        return self.desk.sessions

    @property
    def side_panel(self) -> SidePanel:
        return self.desk.side_panel

    @property
    def remedies(self) -> RemedyBar:
        return self.desk.remedies

    @property
    def conversation(self) -> Conversation:
        return self.desk.conversation

    @property
    def picker(self) -> ModelPicker:
        return self.desk.picker

    def use_model_file(self, path: str) -> None:
        """Begin a chat with this GGUF file."""
        self.desk.use_model_file(path)

    # --- Page ------------------------------------------------------------------------------------------------
    def activate(self) -> None:
        if self.has_begun:
            self.composer.edit.setFocus()
        else:
            self.composer.expect_focus()

    def close_page(self) -> None:
        if self.has_begun:
            self.desk.close()
            self.context.state.value.splitters["chat"] = bytes(self.splitter.saveState().toBase64().data()).decode()

    # --- showing ---------------------------------------------------------------------------------------------
    def set_panel(self, panel: QWidget) -> None:
        """Put the options into their place."""
        visible = not self.panel.isHidden()
        old = self.splitter.replaceWidget(1, panel)
        if old is not None:
            old.deleteLater()
        self.panel = panel
        panel.setVisible(visible)
        self.set_scale(self._scale)

    def leave_for_scroll_bar(self, pixels: int) -> None:
        """Keep the composer in the middle of the conversation, not of what its scroll bar leaves of the page."""
        self._lower_row.setContentsMargins(16, 0, 16 + pixels, 0)

    def set_scale(self, percent: int) -> None:
        """Make room for a text size."""
        self._scale = percent
        self._box.setMaximumWidth(scaled(TEXT_WIDTH, percent))
        self.panel.setMinimumWidth(scaled(PANEL_WIDTH, min(percent, LARGEST_SCALE)))
        self._fit()
        self.show_model_name(self._model_name)

    def show_model_name(self, name: str) -> None:
        self._model_name = name
        metrics, button = self.model_button.fontMetrics(), self.model_button
        others = button.sizeHint().width() - metrics.horizontalAdvance(button.text())
        others += self.panel_button.sizeHint().width() + HEAD_SPACE
        others += 0 if self.model_badge.isHidden() else self.model_badge.sizeHint().width()
        room = max(0, min(scaled(MODEL_NAME_WIDTH, min(self._scale, LARGEST_SCALE)), self._main.width() - others))
        if metrics.horizontalAdvance(name) > room:
            name = metrics.elidedText(name, QtCore.Qt.TextElideMode.ElideMiddle, room)
        self.model_button.setText(" " + (name or "…"))

    @Slot()
    def _fit_model_name(self) -> None:
        self.show_model_name(self._model_name)

    def minimumSizeHint(self) -> QSize:
        """Without the panel, which makes room by itself."""
        main = self._main.minimumSizeHint()
        return main if not self._panel_wanted else main + QSize(self.panel.minimumWidth(), 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Show the panel if it is wanted and there is room."""
        main = scaled(MAIN_WIDTH, min(self._scale, LARGEST_SCALE))
        fits = self.width() >= main + self.panel.minimumWidth()
        self._panel_wanted = self._panel_wanted and not fits
        self.panel.setVisible(self.panel_open and (fits or self._panel_wanted))

    @Slot()
    def toggle_panel(self) -> None:
        self._panel_wanted = self.panel_open = self.panel.isHidden()
        self._fit()
        self.panel_toggled.emit()

    @Slot(str)
    def _use_prompt(self, prompt: str) -> None:
        self.composer.set_text(prompt)
        self.composer.edit.setFocus()
        self.composer.submit()
