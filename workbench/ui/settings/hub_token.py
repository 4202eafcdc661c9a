"""The Hugging Face access token, for gated and private models: where it is kept, another one, none."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QLineEdit, QSizePolicy, QVBoxLayout

from workbench.core.errors import ErrorInfo
from workbench.services.keys import HUB_TOKEN, HUB_VARIABLE
from workbench.ui.context import Context
from workbench.ui.icons import IconButton, PushButton
from workbench.ui.settings.section import add_row, say
from workbench.ui.tr import tr
from workbench.ui.widgets import label


class HubToken(QObject):
    """A row of the Network part. Keys are read and written in workers: a keyring may ask the user."""

    def __init__(self, context: Context, box: QVBoxLayout, parent: QObject) -> None:
        super().__init__(parent)
        self._context = context
        self.field = QLineEdit()
        self.field.setEchoMode(QLineEdit.EchoMode.Password)
        self.field.setPlaceholderText("hf_…")
        self.field.setMinimumWidth(160)
        self.field.returnPressed.connect(self._save)
        self.save = PushButton(tr("Save token"), icon_name="key")
        self.save.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.save.clicked.connect(self._save)
        self.forget = IconButton("trash-2", tr("Delete the kept token"))
        self.forget.clicked.connect(self._forget)
        self.forget.setEnabled(False)
        hint = tr("For gated and private models. Made at {page}.", page="huggingface.co/settings/tokens")
        add_row(box, tr("Hugging Face token"), hint, self.field, self.save, self.forget)
        self.state = label("", "small", wrap=True)
        self.state.hide()
        box.addWidget(self.state)
        context.backend.when_ready(self.look)

    @Slot()
    def look(self) -> None:
        """Find out where a token is kept."""

        def work(keys: Any) -> tuple[str, str]:
            place = str(keys.where(HUB_TOKEN, HUB_VARIABLE) or "")
            if not place and importlib.import_module("workbench.hub.auth").usual_token():
                place = "login"
            return place, keys.warning if place == "file" else ""

        self._run(work, self._show)

    def _show(self, found: tuple[str, str]) -> None:
        place, warning = found
        texts = {
            "keyring": tr("Kept in the system's keyring."),
            "environment": tr("Taken from {variable}.", variable=HUB_VARIABLE),
            "file": warning,
            "login": tr("Taken from where Hugging Face's own tools keep it."),
        }
        self.forget.setEnabled(place in ("keyring", "file"))
        self.state.setText(texts.get(place, ""))
        self.state.setObjectName("small")
        self.state.setVisible(bool(texts.get(place)))

    @Slot()
    def _save(self) -> None:
        token = self.field.text().strip()
        if not token:
            self.field.setFocus()
            return
        self.field.clear()
        self._run(lambda keys: keys.set(HUB_TOKEN, token), lambda _place: self.look())

    @Slot()
    def _forget(self) -> None:
        def work(keys: Any) -> str:
            kept = keys.get(HUB_TOKEN) or ""
            keys.delete(HUB_TOKEN)
            return kept

        def done(kept: str) -> None:
            self._context.shell.toast(
                tr("The Hugging Face token was deleted"),
                tr("Undo"),
                lambda: self._run(lambda keys: keys.set(HUB_TOKEN, kept), lambda _place: self.look()),
            )
            self.look()

        self._run(work, done)

    def _run(self, work: Callable[[Any], Any], done: Callable[[Any], None]) -> None:
        backend = self._context.backend.value
        if backend is not None:
            keys = backend.keys
            self._context.jobs.run(lambda: work(keys), done, self._failed, owner=self)

    def _failed(self, error: ErrorInfo) -> None:
        say(self.state, str(error), "bad")
