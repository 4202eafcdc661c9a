"""What a new chat shows: the model, three prompts to try, and where better models are."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from workbench.core.models import ModelInfo
from workbench.ui.icons import PushButton
from workbench.ui.tr import tr
from workbench.ui.widgets import label

EXAMPLES = (
    ("brain", "Explain what a context window is, in three sentences."),
    ("file-code", "Write a Python function that checks whether a word is a palindrome."),
    ("list-checks", "Turn this into a to-do list: buy milk, call Anna, book the train for Friday."),
)


class Welcome(QWidget):
    prompt_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("New chat"))
        outer = QHBoxLayout(self)
        outer.setContentsMargins(24, 24, 24, 24)
        outer.addStretch(1)
        middle = QWidget()
        middle.setMaximumWidth(640)
        middle.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addStretch(2)
        self.title = label(tr("What would you like to try?"), "hero")
        self.title.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self.title)
        self.hint = label("", "muted", wrap=True)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self.hint)
        column.addSpacing(20)
        self.buttons: list[PushButton] = []
        for icon_name, text in EXAMPLES:
            button = PushButton(" " + tr(text), icon_name=icon_name, object_name="prompt")
            button.setAccessibleName(tr("Try: {prompt}", prompt=tr(text)))
            button.setProperty("prompt", tr(text))
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            button.clicked.connect(self._clicked)
            column.addWidget(button)
            self.buttons.append(button)
        column.addStretch(3)
        outer.addWidget(middle, 10)
        outer.addStretch(1)

    def set_model(self, model: ModelInfo | None, loading: bool, has_models_place: bool) -> None:
        """Say what answers, where it runs, and where to find more."""
        if model is None:
            text = tr("Getting ready…") if loading else tr("Choose a model above.")
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
        if isinstance(button, PushButton):
            self.prompt_chosen.emit(str(button.property("prompt")))
