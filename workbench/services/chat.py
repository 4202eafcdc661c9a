"""A conversation as a tree: send, branch, regenerate, continue, delete. No Qt."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

from workbench.core.chat_options import ChatOptions
from workbench.core.errors import BadInput, StoreError
from workbench.core.messages import (
    Attachment,
    AudioPart,
    FilePart,
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    TextPart,
)
from workbench.core.models import ChatModel
from workbench.core.requests import ChatRequest, Sampling, merged
from workbench.services.runner import Run, Runner
from workbench.store import Store, StoredMessage

TITLE_LENGTH = 60
_log = logging.getLogger(__name__)


class ModelSource(Protocol):
    """Where models come from: `services.catalog.ModelCatalog`."""

    def get(self, model_id: str) -> ChatModel:
        """Raises UnknownModel."""
        ...


def automatic_title(message: Message) -> str:
    """The first line with text, cut at a word to about 60 characters; an attachment's name if there is no text."""
    texts = [part.text for part in message.parts if isinstance(part, TextPart)]
    lines = (" ".join(line.split()) for text in texts for line in text.splitlines())
    line = next((line for line in lines if line), "")
    if not line:
        return next((attachment.name for attachment in message.attachments if attachment.name), "")
    if len(line) <= TITLE_LENGTH:
        return line
    cut = line[:TITLE_LENGTH]
    head, _, _ = cut.rpartition(" ")
    return f"{head if len(head) >= TITLE_LENGTH // 2 else cut}…"


class ChatService:
    def __init__(
        self, store: Store, runner: Runner, catalog: ModelSource, defaults: Callable[[], Sampling] = Sampling
    ) -> None:
        """`defaults`: sampling where neither a chat's options nor a preset says."""
        self._store = store
        self._defaults = defaults
        self._runner = runner
        self._catalog = catalog

    # --- reading the tree -------------------------------------------------------------------------------------
    def path(self, session_id: str, leaf_id: str | None = None) -> list[StoredMessage]:
        """The branch through `leaf_id` (by default the one last looked at), root first, down to its newest answer."""
        if leaf_id is None:
            session = self._store.session(session_id)
            leaf_id = session.leaf_id if session else None
        return _Tree(self._store.messages(session_id)).through(leaf_id)

    def siblings(self, message_id: str) -> list[str]:
        """The message's id among the alternatives to it, oldest first."""
        message = self._message(message_id)
        return _Tree(self._store.messages(message.session_id)).siblings(message)

    def sibling_places(self, session_id: str, path: Iterable[StoredMessage]) -> dict[str, tuple[int, int]]:
        """For each message of a path its place among its siblings (from 0) and how many there are."""
        tree = _Tree(self._store.messages(session_id))
        places = {}
        for message in path:
            siblings = tree.siblings(message)
            if message.id in siblings:
                places[message.id] = (siblings.index(message.id), len(siblings))
        return places

    def show(self, message_id: str) -> list[StoredMessage]:
        """Make the branch through this message the session's current one; returns its path."""
        message = self._message(message_id)
        path = self.path(message.session_id, message_id)
        if path:
            self._store.update_session(message.session_id, leaf_id=path[-1].id)
        return path

    def options(self, session_id: str) -> tuple[str, ChatOptions]:
        """Model and options this session was last asked with; ("", defaults) if it never was."""
        session = self._store.session(session_id)
        saved = dict(session.options) if session else {}
        model_id = str(saved.pop("model", ""))
        try:
            return model_id, msgspec.convert(saved, ChatOptions)
        except msgspec.ValidationError:  # written by another version
            return model_id, ChatOptions()

    def remember(self, session_id: str, model_id: str, options: ChatOptions) -> None:
        self._store.update_session(session_id, options={"model": model_id, **msgspec.to_builtins(options)})

    def _remember_asked(self, session_id: str, model_id: str, options: ChatOptions) -> None:
        """The run goes on already: whoever started it must get hold of it."""
        try:
            self.remember(session_id, model_id, options)
        except StoreError as error:
            _log.warning("The options of session %s were not kept: %s", session_id, error)

    def path_to(self, session_id: str, message_id: str) -> list[StoredMessage]:
        """The branch from the root to exactly this message. Raises BadInput."""
        return self._up_to(session_id, message_id)

    def with_attachments(self, message: Message) -> Message:
        """The message with the bytes of its attachments."""
        return Message(message.role, tuple(self._loaded(part) for part in message.parts))

    # --- asking -----------------------------------------------------------------------------------------------
    def send(
        self, session_id: str, parent_id: str | None, message: Message, model_id: str, options: ChatOptions
    ) -> Run:
        """Add the user's message below `parent_id` and have it answered. Raises BadInput, UnknownModel, StoreError."""
        model = self._catalog.get(model_id)
        request = self.request(session_id, parent_id, message, options)
        run = self._runner.start(
            model,
            request,
            session_id=session_id,
            parent_id=parent_id,
            user=message,
            title=automatic_title(message),
        )
        self._remember_asked(session_id, model_id, options)
        return run

    def edit_and_send(self, user_id: str, message: Message, model_id: str, options: ChatOptions) -> Run:
        """Ask again with other words: a new branch next to the message, which stays."""
        before = self._message(user_id, role="user")
        return self.send(before.session_id, before.parent_id, message, model_id, options)

    def regenerate(self, assistant_id: str, model_id: str, options: ChatOptions) -> Run:
        """Another answer to the same prompt, next to this one."""
        before = self._message(assistant_id, role="assistant")
        model = self._catalog.get(model_id)
        request = self.request(before.session_id, before.parent_id, None, options)
        run = self._runner.start(model, request, session_id=before.session_id, parent_id=before.parent_id)
        self._remember_asked(before.session_id, model_id, options)
        return run

    def continue_answer(self, assistant_id: str, model_id: str, options: ChatOptions) -> Run:
        """Go on where an answer stopped. The new run lengthens the same message."""
        before = self._message(assistant_id, role="assistant")
        if any(run.record.message_id == assistant_id for run in self._runner.active()):
            raise BadInput("This answer is still being written.", hint="Wait until it ends, or stop it first.")
        if not before.message.parts:
            raise BadInput("This answer is empty, so there is nothing to continue.", hint="Regenerate it instead.")
        model = self._catalog.get(model_id)
        path = self._up_to(before.session_id, assistant_id)
        above = self.sendable(stored.message for stored in path[:-1])
        request = self._options(options).request([*above, before.message], continue_last=True)
        run = self._runner.start(model, request, session_id=before.session_id, continues=before)
        self._remember_asked(before.session_id, model_id, options)
        return run

    def request(
        self, session_id: str, parent_id: str | None, message: Message | None, options: ChatOptions
    ) -> ChatRequest:
        """What would be asked with `message` below `parent_id`; without a message, what asks again."""
        above = [stored.message for stored in self._up_to(session_id, parent_id)]
        return self._options(options).request(self.sendable([*above, message] if message is not None else above))

    # --- deleting ---------------------------------------------------------------------------------------------
    def delete(self, message_id: str) -> None:
        """Hide a message and what is below it; runs among them are stopped. `restore` takes it back."""
        message = self._message(message_id)
        tree = _Tree(self._store.messages(message.session_id))
        gone = tree.below(message_id)
        for run in self._runner.active():
            if run.record.message_id in gone:
                run.cancel()
        self._store.delete_message(message_id)
        session = self._store.session(message.session_id)
        if session is not None and session.leaf_id in gone:
            left = [id_ for id_ in tree.siblings(message) if id_ != message_id]
            leaf_id = left[-1] if left else message.parent_id
            if leaf_id is not None:
                self._store.update_session(session.id, leaf_id=leaf_id)

    def restore(self, message_id: str) -> list[StoredMessage]:
        """Take back a deletion; returns the branch with the message, which is the current one again."""
        self._store.restore_message(message_id)
        return self.show(message_id)

    def _options(self, options: ChatOptions) -> ChatOptions:
        return msgspec.structs.replace(options, sampling=merged(self._defaults(), options.sampling))

    # --- helpers ----------------------------------------------------------------------------------------------
    def _message(self, id: str, *, role: str | None = None) -> StoredMessage:
        message = self._store.message(id)
        if message is None or (role is not None and message.message.role != role):
            raise BadInput(f"There is no {role or ''} message {id}.".replace("  ", " "))
        return message

    def _up_to(self, session_id: str, message_id: str | None) -> list[StoredMessage]:
        """The branch from the root to exactly this message."""
        if message_id is None:
            return []
        path = _Tree(self._store.messages(session_id)).up_to(message_id)
        if not path:
            raise BadInput(f"There is no message {message_id} in this session.")
        return path

    def sendable(self, messages: Iterable[Message]) -> list[Message]:
        """As models want them: attachments with their bytes, no empty answers, no two user messages in a row.

        An answer that failed before its first word leaves two user messages in a row, which many templates refuse.
        """
        sendable: list[Message] = []
        for message in messages:
            if message.role == "assistant" and all(isinstance(part, ReasoningPart) for part in message.parts):
                continue
            loaded = self.with_attachments(message)
            if sendable and sendable[-1].role == loaded.role == "user":
                loaded = Message("user", (*sendable.pop().parts, *loaded.parts))
            sendable.append(loaded)
        return sendable

    def _loaded(self, part: Part) -> Part:
        if isinstance(part, ImagePart | AudioPart | FilePart) and not part.attachment.data:
            data = self._store.attachment(part.attachment.sha256)
            attachment: Attachment = msgspec.structs.replace(part.attachment, data=data)
            return msgspec.structs.replace(part, attachment=attachment)
        return part


class _Tree:
    """A session's messages by parent."""

    def __init__(self, messages: list[StoredMessage]) -> None:
        self._by_id = {message.id: message for message in messages}
        self._children: dict[str | None, list[StoredMessage]] = {}
        for message in messages:
            self._children.setdefault(message.parent_id, []).append(message)

    def up_to(self, id: str) -> list[StoredMessage]:
        path = []
        message = self._by_id.get(id)
        while message is not None:
            path.append(message)
            message = self._by_id.get(message.parent_id) if message.parent_id else None
        return path[::-1]

    def through(self, id: str | None) -> list[StoredMessage]:
        """From the root through this message (or the newest first one) down to the newest leaf below it."""
        path = self.up_to(id) if id else []
        while below := self._children.get(path[-1].id if path else None):
            path.append(below[-1])
        return path

    def siblings(self, message: StoredMessage) -> list[str]:
        return [
            other.id
            for other in self._children.get(message.parent_id, [])
            if other.message.role == message.message.role
        ]

    def below(self, id: str) -> set[str]:
        """The message's id and those of all below it."""
        found, waiting = set(), [id]
        while waiting:
            current = waiting.pop()
            found.add(current)
            waiting += [child.id for child in self._children.get(current, [])]
        return found
