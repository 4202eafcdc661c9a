"""How many tokens the next message would take: counted by the loaded model, else estimated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from workbench.core.errors import ErrorInfo
from workbench.core.messages import ImagePart, Message
from workbench.core.models import CountsTokens
from workbench.ui.backend import Backend
from workbench.ui.chat.state import ChatState
from workbench.ui.context import Context

if TYPE_CHECKING:
    from workbench.services.runner import Run

COUNT_AFTER_MS = 350
COUNT_RUNNING_MS = 1000
CHARACTERS_PER_TOKEN = 3.6
TOKENS_PER_MESSAGE = 8
TOKENS_PER_IMAGE = 1000


def estimate(messages: tuple[Message, ...]) -> int:
    """Tokens of English text and the text of attached files, roughly."""
    images = sum(isinstance(part, ImagePart) for message in messages for part in message.parts)
    texts = sum(round(len(message.text) / CHARACTERS_PER_TOKEN) + TOKENS_PER_MESSAGE for message in messages)
    return texts + images * TOKENS_PER_IMAGE


def loaded_model(backend: Backend, model_id: str) -> CountsTokens | None:
    """The model if it is in memory and can count; counting must never load one."""
    for model in backend.catalog.loaded():
        if model_id in (model.info.id, model.info.path) and isinstance(model, CountsTokens):
            return model
    return None


class TokenMeter(QObject):
    counted = Signal(object, object, bool)
    """Tokens (None: nothing to count), the context's size (None: unknown), whether the count is exact."""

    def __init__(self, state: ChatState, context: Context, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state, self._context = state, context
        self._draft = Message("user", ())
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(COUNT_AFTER_MS)
        self._timer.timeout.connect(self._count)
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        self._again.setInterval(COUNT_RUNNING_MS)
        self._again.timeout.connect(self._count)

    def count_soon(self, draft: Message) -> None:
        """`draft` is what stands in the composer: text and attached files."""
        self._draft = draft
        self._timer.start()

    def limit(self) -> int | None:
        chosen = self._state.options.load.n_ctx
        model = self._state.model
        trained = model.context_length if model else None
        if chosen and (model is None or not model.remote):
            return chosen
        return trained

    @Slot()
    def _count(self) -> None:
        run = self._state.running_here
        if run is not None:
            self._count_running(run)
            return
        messages = self._messages()
        if not messages:
            self.counted.emit(None, self.limit(), True)
            return
        self.counted.emit(estimate(messages), self.limit(), False)
        backend, model_id = self._state.backend, self._state.model_id
        if backend is None:
            return

        def work() -> tuple[int, int | None] | None:
            model = loaded_model(backend, model_id)
            if model is None:
                return None
            status = getattr(model, "status", None)
            n_ctx = getattr(status() if callable(status) else status, "n_ctx", None)
            return model.count_tokens(messages), n_ctx

        self._context.jobs.run(work, self._exact, self._failed, owner=self, key="count-tokens")

    def _count_running(self, run: Run) -> None:
        """The prompt as the model counted it, what has been written since, and the draft of the next message."""
        progress, pieces = run.buffer.counts
        prompt = progress.total if progress is not None else estimate(self._messages(with_draft=False))
        draft = estimate((self._draft,)) if self._draft.parts else 0
        self.counted.emit(prompt + pieces + draft, self.limit(), False)
        self._again.start()

    def _exact(self, result: tuple[int, int | None] | None) -> None:
        if result is not None:
            tokens, n_ctx = result
            self.counted.emit(tokens, n_ctx or self.limit(), True)

    def _failed(self, _error: ErrorInfo) -> None:
        """The estimate stays; the error will be told where it matters, when the prompt is sent."""

    def _messages(self, *, with_draft: bool = True) -> tuple[Message, ...]:
        system = self._state.options.system_prompt.strip()
        messages = [Message.of("system", system)] if system else []
        messages += [stored.message for stored in self._state.path]
        if self._draft.parts and with_draft:
            messages.append(self._draft)
        return tuple(messages)
