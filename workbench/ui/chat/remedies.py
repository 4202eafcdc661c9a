"""What can be done about the last answer's failure, as buttons above the composer."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace
from PySide6.QtCore import Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from workbench.core.chat_options import ChatOptions
from workbench.core.errors import ErrorInfo
from workbench.ui.chat.state import ChatState
from workbench.ui.formats import number
from workbench.ui.icons import IconButton, PushButton
from workbench.ui.tr import tr
from workbench.ui.widgets import clear_layout, copy_text, error_text, label, restyle

SMALLEST_RAISED_CONTEXT = 4096
PLAIN_TEMPLATE = (
    "{% for message in messages %}{{ message.role | capitalize }}: {{ message.content }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant: {% endif %}"
)
"""Works with any model: role names and texts, one after the other."""

Remedy = tuple[str, Callable[[], None]]


class RemedyBar(QFrame):
    """Hidden unless the shown branch ends with a failed answer, or an error belongs to no message."""

    def __init__(self, state: ChatState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._dismissed = ""
        self._error: ErrorInfo | None = None
        column = self._layout = QVBoxLayout(self)
        column.setSpacing(8)
        head = QHBoxLayout()
        head.setSpacing(4)
        texts = QVBoxLayout()
        texts.setSpacing(2)
        self.title = label("", "errorTitle", wrap=True, selectable=True)
        texts.addWidget(self.title)
        self.hint = label("", wrap=True, selectable=True)
        texts.addWidget(self.hint)
        head.addLayout(texts, 1)
        self.copy = IconButton("copy", tr("Copy the error's details"), size=15)
        self.copy.clicked.connect(self._copy)
        head.addWidget(self.copy)
        self.close_button = IconButton("x", tr("Hide this message"), size=15)
        self.close_button.clicked.connect(self.clear)
        head.addWidget(self.close_button)
        column.addLayout(head)
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(8)
        column.addLayout(self._buttons)
        self.hide()

    @Slot()
    def refresh(self) -> None:
        """Show what can be done about the last message, if it failed."""
        view = self._state.view
        last = self._state.path[-1] if self._state.path else None
        error = view.errors.get(last.id) if view and last and last.id not in self._state.active else None
        if error is None or last is None:
            if self._error is None or self._state.running_here is not None:
                self.hide()
            return
        if last.id != self._dismissed:
            self._show(error, self._remedies(last.id, error), in_transcript=True)

    def show_error(self, error: ErrorInfo) -> None:
        """An error that belongs to no message: sending itself failed."""
        self._error = error
        self._show(error, [], in_transcript=False)

    @Slot()
    def clear(self) -> None:
        self._error = None
        if self._state.path:
            self._dismissed = self._state.path[-1].id
        self.hide()

    def _show(self, error: ErrorInfo, remedies: list[Remedy], *, in_transcript: bool) -> None:
        """`in_transcript`: the message itself stands there already; only what can be done is shown here."""
        self._shown = error
        self.title.setText(error.message)
        self.hint.setText(error.hint)
        for widget in (self.title, self.copy, self.close_button):
            widget.setVisible(not in_transcript)
        self.hint.setVisible(bool(error.hint) and not in_transcript)
        self._layout.setContentsMargins(*((0, 0, 0, 0) if in_transcript else (14, 10, 8, 10)))
        name = "remedies" if in_transcript else "errorCard"
        if self.objectName() != name:
            self.setObjectName(name)
            restyle(self)
        self.setAccessibleName(str(error))
        clear_layout(self._buttons)
        for title, callback in remedies:
            button = PushButton(title)
            button.clicked.connect(callback)
            self._buttons.addWidget(button)
        self._buttons.addStretch(1)
        self.show()

    def _remedies(self, message_id: str, error: ErrorInfo) -> list[Remedy]:
        options = self._state.options
        remedies: list[Remedy] = []

        def again(changed: ChatOptions) -> Callable[[], None]:
            return lambda: self._again(message_id, changed)

        if error.kind == "context_overflow":
            turns = sum(stored.message.role == "user" for stored in self._state.path)
            if turns > 1:  # the last one is never dropped
                title = tr("Drop the oldest turns and try again")
                remedies.append((title, again(replace(options, overflow="drop_oldest"))))
            raised = self._raised_context()
            if raised:
                load = replace(options.load, n_ctx=raised)
                title = tr("Raise the context to {size} tokens and try again", size=number(raised))
                remedies.append((title, again(replace(options, load=load))))
        elif error.kind == "template_error":
            title = tr("Use a plain template and try again")
            remedies.append((title, again(replace(options, chat_template=PLAIN_TEMPLATE))))
        elif error.kind == "out_of_memory":
            for size in (8192, 4096, 2048):
                if options.load.n_ctx is None or options.load.n_ctx > size:
                    load = replace(options.load, n_ctx=size)
                    title = tr("Try with a context of {size} tokens", size=number(size))
                    remedies.append((title, again(replace(options, load=load))))
                    break
        remedies.append((tr("Try again"), again(options)))
        return remedies

    def _raised_context(self) -> int | None:
        """Twice the present context, within what the model was trained for."""
        model = self._state.model
        if model is None or model.remote:
            return None
        limit = model.context_length or 0
        current = self._state.options.load.n_ctx or limit
        raised = max(current * 2, SMALLEST_RAISED_CONTEXT)
        return min(raised, limit) if limit > current else None

    def _again(self, message_id: str, options: ChatOptions) -> None:
        self._state.set_options(options)
        self.clear()
        self._state.regenerate(message_id)

    @Slot()
    def _copy(self) -> None:
        copy_text(error_text(self._shown))
