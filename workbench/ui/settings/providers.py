"""Providers and their keys: which are there, the key's place, a test that asks for the models, own entries."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from msgspec.structs import replace
from PySide6 import QtWidgets
from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QApplication, QComboBox, QFrame, QHBoxLayout, QLineEdit, QVBoxLayout

from workbench.core.cancel import CancelToken
from workbench.core.errors import ErrorInfo
from workbench.core.models import ModelInfo
from workbench.core.settings import Provider
from workbench.services.catalog import key_variable_of
from workbench.ui.backend import Backend
from workbench.ui.context import Context
from workbench.ui.flow import FlowLayout
from workbench.ui.icons import IconButton, IconLabel, PushButton
from workbench.ui.settings.section import SettingsSection, clear, say
from workbench.ui.tr import mark, tr, trn
from workbench.ui.widgets import label

CARDS_A_TURN = 1
TURN_MS = 5


@dataclass(frozen=True, slots=True)
class ProviderState:
    """A provider as the page shows it."""

    name: str
    kind: str
    title: str
    key_variable: str
    base_url: str
    key_place: str
    """keyring, environment, file, or empty without a key."""
    own: bool
    """Configured by the user."""
    preset: bool
    """Known to the program: without the user's entry its own address counts again."""
    models: tuple[str, ...] = ()
    """That the user added by hand."""

    @property
    def names(self) -> tuple[str, str]:
        """What the card is headed with, and what stands beside it: users look for a vendor they know, or for the name
        they gave; models are asked for by the other one."""
        title = tr(self.title)
        return (title, self.name) if self.preset else (self.name, title)


def read_providers(backend: Backend) -> tuple[list[ProviderState], list[tuple[str, str]], str]:
    """(providers, kinds as (id, title), warning about the keys' place). Runs in a worker: a keyring may be slow."""
    configured = backend.settings.value.providers
    states: list[ProviderState] = []
    kinds: list[tuple[str, str]] = []
    for plugin in backend.plugins.providers():
        kinds.append((plugin.kind, tr(plugin.title)))
        own = {name: entry for name, entry in configured.items() if entry.kind == plugin.kind}
        entries: dict[str, Provider] = {**plugin.presets, **own}
        for name, entry in entries.items():
            place = backend.keys.where(name, key_variable_of(name, plugin))
            states.append(
                ProviderState(
                    name=name,
                    kind=plugin.kind,
                    title=plugin.title,
                    key_variable=key_variable_of(name, plugin),
                    base_url=entry.base_url,
                    key_place=str(place or ""),
                    own=name in own,
                    preset=name in plugin.presets,
                    models=entry.models,
                )
            )
    states.sort(key=lambda state: (not state.key_place, state.names[0].casefold()))
    return states, kinds, backend.keys.warning


class ProviderCard(QFrame):
    """One provider: its key, a test, and for own entries its address."""

    key_entered = Signal(str, str)
    test_requested = Signal(str)
    edit_requested = Signal(str)
    forget_requested = Signal(str)
    """The key."""
    remove_requested = Signal(str)
    """The user's entry."""

    def __init__(self, state: ProviderState) -> None:
        super().__init__()
        self.setObjectName("card")
        self.setAccessibleName(state.name)
        self.state = state
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 12, 12)
        column.setSpacing(8)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(IconLabel("cloud", 16))
        heading, beside = state.names
        head.addWidget(label(heading, "sectionTitle"))
        if beside.casefold() != heading.casefold():
            head.addWidget(label(beside, "small"))
        head.addStretch(1)
        places = {"keyring": tr("Key in the keyring"), "environment": tr("Key from {name}", name=state.key_variable)}
        places["file"] = tr("Key in a file")
        if state.key_place:
            head.addWidget(label(places.get(state.key_place, tr("Key found")), "badgeGood"))
        elif state.key_variable or state.own:
            head.addWidget(label(tr("No key"), "badge"))
        self.edit = IconButton("pencil", tr("Address and models of {name}", name=state.name), size=14)
        self.edit.clicked.connect(self._edit)
        head.addWidget(self.edit)
        if state.own:
            back = tr("Back to the own address of {name}", name=state.name)
            title = back if state.preset else tr("Remove {name}", name=state.name)
            self.remove = IconButton("undo-2" if state.preset else "trash-2", title, size=14)
            self.remove.clicked.connect(self._remove)
            head.addWidget(self.remove)
        column.addLayout(head)
        if state.base_url:
            column.addWidget(label(state.base_url, "small", selectable=True))
        row = QHBoxLayout()
        row.setSpacing(6)
        self.key = QLineEdit()
        self.key.setEchoMode(QLineEdit.EchoMode.Password)
        self.key.setPlaceholderText(tr("Paste a new key") if state.key_place else tr("Paste the API key"))
        self.key.setAccessibleName(tr("API key of {name}", name=state.name))
        self.key.returnPressed.connect(self._save)
        row.addWidget(self.key, 1)
        self.show_key = IconButton("eye", tr("Show what is typed"))
        self.show_key.clicked.connect(self._toggle_echo)
        row.addWidget(self.show_key)
        self.save_button = PushButton(tr("Save key"), icon_name="key")
        self.save_button.clicked.connect(self._save)
        row.addWidget(self.save_button)
        self.test = PushButton(tr("Test"))
        self.test.setToolTip(tr("Ask the provider for its models"))
        self.test.setAccessibleName(tr("Test {name}", name=state.name))
        self.test.clicked.connect(self._test)
        row.addWidget(self.test)
        if state.key_place in ("keyring", "file"):
            self.forget = IconButton("x", tr("Forget the key of {name}", name=state.name))
            self.forget.clicked.connect(self._forget)
            row.addWidget(self.forget)
        column.addLayout(row)
        self.result = label("", "small", wrap=True, selectable=True)
        self.result.hide()
        column.addWidget(self.result)

    def tell(self, text: str, name: str) -> None:
        say(self.result, text, name)

    @Slot()
    def _save(self) -> None:
        if self.key.text().strip():
            self.key_entered.emit(self.state.name, self.key.text().strip())
            self.key.clear()

    @Slot()
    def _toggle_echo(self) -> None:
        hidden = self.key.echoMode() == QLineEdit.EchoMode.Password
        self.key.setEchoMode(QLineEdit.EchoMode.Normal if hidden else QLineEdit.EchoMode.Password)
        self.show_key.set_icon("eye-off" if hidden else "eye")

    @Slot()
    def _test(self) -> None:
        self.test_requested.emit(self.state.name)

    @Slot()
    def _edit(self) -> None:
        self.edit_requested.emit(self.state.name)

    @Slot()
    def _forget(self) -> None:
        self.forget_requested.emit(self.state.name)

    @Slot()
    def _remove(self) -> None:
        self.remove_requested.emit(self.state.name)


class ProvidersSection(SettingsSection):
    title = mark("Providers")
    intro = mark(
        "Closed and self-hosted models behind an API. Prompts to them leave this machine. "
        "Keys go into the system's keyring where there is one."
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.cards: dict[str, ProviderCard] = {}
        self._kinds: list[tuple[str, str]] = []
        self._waiting: list[ProviderState] = []
        self._results: dict[str, tuple[str, str]] = {}
        self._focused = ""
        """The card that had the focus when all were made anew."""
        self.warning = label("", "warn", wrap=True)
        self.warning.hide()
        self.column.addWidget(self.warning)
        row = FlowLayout(spacing=8)
        self.add = PushButton(tr("Add a provider…"), icon_name="plus")
        self.add.clicked.connect(self._add)
        row.addWidget(self.add)
        self.find_servers = PushButton(tr("Find servers on this machine"), icon_name="search")
        self.find_servers.setToolTip(
            tr("Looks for LM Studio, Ollama, llama-server and vLLM at their usual addresses here")
        )
        self.find_servers.clicked.connect(self._find_servers)
        row.addWidget(self.find_servers)
        self.column.addLayout(row)
        self._list = QVBoxLayout()
        self._list.setSpacing(10)
        self.column.addLayout(self._list)
        self.empty = label(tr("No provider plugins are loaded."), "muted")
        self.empty.hide()
        self.column.addWidget(self.empty)
        self.column.addStretch(1)
        context.backend.when_ready(self.reload)

    @Slot()
    def reload(self) -> None:
        backend = self.context.backend.value
        if backend is not None:
            self.context.jobs.run(lambda: read_providers(backend), self._show, owner=self, key="providers")

    def show_settings(self) -> None:
        self.reload()

    def _show(self, found: tuple[list[ProviderState], list[tuple[str, str]], str]) -> None:
        states, self._kinds, warning = found
        results = {name: (card.result.text(), card.result.objectName()) for name, card in self.cards.items()}
        self._focused = self._card_with_focus()
        clear(self._list)
        self.cards.clear()
        self.empty.setVisible(not states)
        self.warning.setText(warning)
        self.warning.setVisible(bool(warning))
        self._waiting = states
        self._results = results
        self._add_cards()

    @Slot()
    def _add_cards(self) -> None:
        """A few in each turn of the event loop: there are many providers."""
        shown, self._waiting = self._waiting[:CARDS_A_TURN], self._waiting[CARDS_A_TURN:]
        for state in shown:
            card = ProviderCard(state)
            card.key_entered.connect(self._save_key)
            card.test_requested.connect(self._test)
            card.edit_requested.connect(self._edit)
            card.forget_requested.connect(self._forget)
            card.remove_requested.connect(self._remove)
            if self._results.get(state.name, ("", ""))[0]:
                card.tell(*self._results[state.name])
            self.cards[state.name] = card
            self._list.addWidget(card)
            if state.name == self._focused:  # with a key the next step is to test it
                (card.test if state.key_place else card.key).setFocus(Qt.FocusReason.OtherFocusReason)
        if self._waiting:
            QTimer.singleShot(TURN_MS, self, self._add_cards)
        else:
            QTimer.singleShot(0, self, self._fit_height)

    def _card_with_focus(self) -> str:
        focused = QApplication.focusWidget()
        cards = self.cards.items() if focused is not None else ()
        return next((name for name, card in cards if focused and card.isAncestorOf(focused)), "")

    @Slot()
    def _fit_height(self) -> None:
        """Room for every card: the heights that the layouts remember may be of before the fields were styled."""
        for card in self.cards.values():
            if (inside := card.layout()) is not None:
                inside.invalidate()
        self._list.invalidate()
        self.column.invalidate()
        self.updateGeometry()

    def _run(self, work: Any, done: Any, name: str) -> None:
        self.context.jobs.run(work, done, lambda error: self._failed(name, error), owner=self)

    def _failed(self, name: str, error: ErrorInfo) -> None:
        card = self.cards.get(name)
        if card is not None:
            card.test.setEnabled(True)
            card.tell(str(error), "bad")

    @Slot(str, str)
    def _save_key(self, name: str, secret: str) -> None:
        backend = self.context.backend.value
        if backend is not None:
            keys = backend.keys
            self._run(lambda: keys.set(name, secret), lambda _place: self.reload(), name)

    @Slot(str)
    def _test(self, name: str) -> None:
        backend = self.context.backend.value
        card = self.cards.get(name)
        if backend is None or card is None:
            return
        if self.context.settings.value.network.offline:
            card.tell(tr("The program is offline. Go online to test."), "warn")
            return
        card.test.setEnabled(False)
        card.tell(tr("Asking {name} for its models…", name=name), "small")
        catalog = backend.catalog
        self._run(lambda: catalog.refresh(name, CancelToken()), lambda models: self._tested(name, models), name)

    @Slot()
    def _find_servers(self) -> None:
        backend = self.context.backend.value
        if backend is None:
            return
        catalog = backend.catalog
        self.find_servers.setEnabled(False)

        def done(found: dict[str, list[ModelInfo]]) -> None:
            self.find_servers.setEnabled(True)
            for name, models in found.items():
                self._tested(name, models)
            text = tr("Found: {names}", names=", ".join(self._titles(found)))
            self.context.shell.toast(text if found else tr("No other program's server answers on this machine."))

        def failed(error: ErrorInfo) -> None:
            self.find_servers.setEnabled(True)
            self.context.shell.toast(str(error))

        self.context.jobs.run(lambda: catalog.find_servers(CancelToken()), done, failed, owner=self)

    def _titles(self, names: Iterable[str]) -> list[str]:
        return [tr(self.cards[name].state.title) if name in self.cards else name for name in names]

    def _tested(self, name: str, models: list[ModelInfo]) -> None:
        self.context.backend.models_changed.emit()
        card = self.cards.get(name)
        if card is not None:
            card.test.setEnabled(True)
            names = ", ".join(model.name for model in models[:4]) + ("…" if len(models) > 4 else "")
            card.tell(
                trn(
                    "It works: {count} model ({names}).",
                    "It works: {count} models ({names}).",
                    len(models),
                    names=names,
                ),
                "good",
            )

    @Slot(str)
    def _forget(self, name: str) -> None:
        def forgotten(secret: str) -> None:
            self.reload()
            back = partial(self._save_key, name, secret)
            self.context.shell.toast(tr("The key of {name} was forgotten", name=name), tr("Undo"), back)

        self._take_key(name, forgotten)

    def _take_key(self, name: str, done: Callable[[str], None]) -> None:
        """Delete a key; `done` gets it, to be able to put it back."""
        backend = self.context.backend.value
        if backend is None:
            return
        keys = backend.keys

        def work() -> str:
            secret = keys.get(name) or ""
            keys.delete(name)
            return secret

        self._run(work, done, name)

    @Slot(str)
    def _remove(self, name: str) -> None:
        """Take the user's entry away. Its key goes too, unless the program knows a provider of that name."""
        before = self.context.settings.value.providers
        if name not in before:
            return
        card = self.cards.get(name)
        self._save_entries({key: entry for key, entry in before.items() if key != name})
        text = tr("{name} was removed", name=name)
        if card is not None and card.state.preset:
            text = tr("{name} has its own address again", name=name)
        elif card is not None and card.state.key_place in ("keyring", "file"):

            def gone(secret: str) -> None:
                def undo() -> None:
                    self._save_entries(before)
                    self._save_key(name, secret)

                self.context.shell.toast(text, tr("Undo"), undo)

            self._take_key(name, gone)
            return
        self.context.shell.toast(text, tr("Undo"), partial(self._save_entries, before))

    @Slot()
    def _add(self) -> None:
        self._ask(ProviderDialog(self._kinds, set(self.cards), self))

    @Slot(str)
    def _edit(self, name: str) -> None:
        card = self.cards.get(name)
        if card is not None:
            self._ask(ProviderDialog(self._kinds, set(), self, state=card.state))

    def _ask(self, dialog: ProviderDialog) -> None:
        self.dialog = dialog
        dialog.accepted.connect(lambda: self._save_entry(dialog))
        dialog.open()

    def _save_entry(self, dialog: ProviderDialog) -> None:
        providers = dict(self.context.settings.value.providers)
        name, models = dialog.name.text().strip(), dialog.model_names()
        before = providers.get(name, Provider(kind=dialog.kind.currentData()))
        url = dialog.base_url.text().strip()
        providers[name] = replace(before, kind=dialog.kind.currentData(), base_url=url, models=models)
        self._save_entries(providers)

    def _save_entries(self, providers: dict[str, Provider]) -> None:
        settings = self.context.settings
        self.context.shell.banner("settings", settings.save(replace(settings.value, providers=providers)))


class ProviderDialog(QtWidgets.QDialog):
    """A provider of the user's own, or the address and models of one that is there (`state`)."""

    def __init__(
        self,
        kinds: list[tuple[str, str]],
        taken: set[str],
        parent: QtWidgets.QWidget | None = None,
        *,
        state: ProviderState | None = None,
    ) -> None:
        super().__init__(parent)
        title = tr("Add a provider") if state is None else tr("Address and models of {name}", name=state.name)
        self.setWindowTitle(title)
        self.setAccessibleName(title)
        self._taken = taken
        form = QtWidgets.QFormLayout(self)
        form.setContentsMargins(20, 20, 20, 20)
        form.setSpacing(12)
        self.kind = QComboBox()
        for kind, title in kinds:
            self.kind.addItem(title, kind)
        self.name = QLineEdit()
        self.name.setPlaceholderText(tr("Stands before the colon in model ids"))
        self.base_url = QLineEdit()
        self.base_url.setPlaceholderText("http://localhost:8000/v1")
        self.models = QLineEdit()
        self.models.setPlaceholderText(tr("Asked from the provider if left empty"))
        fields = ((tr("Kind"), self.kind), (tr("Name"), self.name), (tr("Address"), self.base_url))
        for title, field in (*fields, (tr("Models"), self.models)):
            field.setAccessibleName(title)
            field.setMinimumWidth(320)
            form.addRow(title, field)
        if state is not None:
            self.kind.setCurrentIndex(self.kind.findData(state.kind))
            self.kind.setEnabled(False)
            self.name.setText(state.name)
            self.name.setReadOnly(True)
            self.base_url.setText(state.base_url)
            self.models.setText(", ".join(state.models))
        self.problem = label("", "bad", wrap=True)
        form.addRow(self.problem)
        warning = tr("Prompts and the key are sent to this address.")
        form.addRow(label(warning, "small", wrap=True))
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        cancel = PushButton(tr("Cancel"))
        cancel.clicked.connect(self.reject)
        buttons.addWidget(cancel)
        add = PushButton(tr("Add") if state is None else tr("Save"), primary=True)
        add.setDefault(True)
        add.clicked.connect(self._check)
        buttons.addWidget(add)
        form.addRow(buttons)
        form.setFieldGrowthPolicy(QtWidgets.QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)

    def model_names(self) -> tuple[str, ...]:
        return tuple(name.strip() for name in self.models.text().split(",") if name.strip())

    @Slot()
    def _check(self) -> None:
        name = self.name.text().strip()
        if not name or ":" in name or name in ("local", "starter"):
            self.problem.setText(tr("Give it a name without a colon."))
        elif name in self._taken:
            self.problem.setText(tr("There is a provider of this name."))
        elif self.base_url.text().strip() and not self.base_url.text().strip().startswith(("http://", "https://")):
            self.problem.setText(tr("An address begins with http:// or https://."))
        else:
            self.accept()
