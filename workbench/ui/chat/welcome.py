"""What a new chat shows: the model, three prompts to try, and where better models are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from workbench.ui.icons import PushButton
from workbench.ui.numbers import CENTERED, NO_FOCUS, NO_FRAME, NO_HORIZONTAL_BAR, set_number
from workbench.ui.tr import mark, tr
from workbench.ui.widgets import label

if TYPE_CHECKING:
    from workbench.core.models import ModelInfo

EXAMPLES = (
    ("brain", mark("Explain what a context window is, in three sentences.")),
    ("file-code", mark("Write a Python function that checks whether a word is a palindrome.")),
    ("list-checks", mark("Turn this into a to-do list: buy milk, call Anna, book the train for Friday.")),
)

BUTTON_EDGES = 44
"""Pixels of a button that are neither text nor icon: padding."""


class PromptButton(PushButton):
    """A prompt to try, on as many lines as it needs; `prompt` is its text."""

    def __init__(self, prompt: str, icon_name: str) -> None:
        super().__init__(prompt, icon_name=icon_name, object_name="prompt")
        self.prompt = prompt
        self.setAccessibleName(tr("Try: {prompt}", prompt=prompt))
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._wrap()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._wrap()

    def _wrap(self) -> None:
        metrics, room = self.fontMetrics(), self.width() - BUTTON_EDGES - self.iconSize().width()
        lines = [""]
        for word in self.prompt.split():
            longer = f"{lines[-1]} {word}"
            if lines[-1] and metrics.horizontalAdvance(longer) > room:
                lines.append(f" {word}")
            else:
                lines[-1] = longer
        text = "\n".join(lines)
        if text != self.text():
            self.setText(text)


class Welcome(QScrollArea):
    """It scrolls where large text and a small window leave it no room."""

    prompt_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("New chat"))
        for number in (NO_FRAME, NO_HORIZONTAL_BAR, NO_FOCUS):
            set_number(self, number)
        self.setWidgetResizable(True)
        content = QWidget()
        content.setObjectName("content")
        outer = QHBoxLayout(content)
        outer.setContentsMargins(24, 24, 24, 24)
        outer.addStretch(1)
        middle = QWidget()
        middle.setMaximumWidth(640)
        middle.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addStretch(2)
        self.title = label(tr("What would you like to try?"), "hero", wrap=True)
        set_number(self.title, CENTERED)
        column.addWidget(self.title)
        self.hint = label("", "muted", wrap=True)
        set_number(self.hint, CENTERED)
        self._reserve()
        column.addWidget(self.hint)
        column.addSpacing(20)
        self.buttons: list[PromptButton] = []
        for icon_name, text in EXAMPLES:
            button = PromptButton(tr(text), icon_name)
            button.clicked.connect(self._clicked)
            column.addWidget(button)
            self.buttons.append(button)
        column.addStretch(3)
        outer.addWidget(middle, 10)
        outer.addStretch(1)
        self.setWidget(content)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._reserve()

    def _reserve(self) -> None:
        """Room for two lines, so that nothing moves when the model is known."""
        self.hint.setMinimumHeight(2 * self.hint.fontMetrics().lineSpacing())

    def set_model(self, model: ModelInfo | None, name: str, loading: bool, has_models_place: bool) -> None:
        """Say what answers, where it runs, and where to find more. `name` is the chosen one's, listed or not."""
        if model is None and loading:
            text = tr("Getting ready…")
        elif model is None and name.lower().endswith(".gguf"):  # a file outside the folders with models
            text = tr("{name} is loaded with your first message. It runs on this machine.", name=name)
        elif model is None:
            missing = tr("{name} is not available now. Choose another model above.", name=name)
            text = missing if name else tr("Choose a model above.")
        elif model.remote:
            text = tr("{name} answers. Prompts are sent to {provider}.", name=model.name, provider=model.provider)
        elif model.id == "starter":
            text = tr(
                "{name} is ready. It runs on this machine and is tiny, so expect simple answers.", name=model.name
            )
            text += " "
            if has_models_place:
                text += tr("Better ones are under Models.")
            else:
                text += tr("For a better one, drop a GGUF file onto the window.")
        else:
            text = tr("{name} is ready. It runs on this machine; nothing you write leaves it.", name=model.name)
        self.hint.setText(text)

    def show_problem(self) -> None:
        self.hint.setText(tr("Chatting has to wait until the problem above is solved."))

    @Slot()
    def _clicked(self) -> None:
        button = self.sender()
        if isinstance(button, PromptButton):
            self.prompt_chosen.emit(button.prompt)
