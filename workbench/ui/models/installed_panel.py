"""The chosen installed model: its facts, and everything that can be done with it."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QProgressBar, QScrollArea, QVBoxLayout, QWidget

from workbench.core.requests import LoadOptions
from workbench.ui.formats import count_text, number, size_text
from workbench.ui.icons import PushButton
from workbench.ui.models.expected import Expected
from workbench.ui.models.formats import abilities_text, age_text, memory_text, source_text, speed_text, verdict_text
from workbench.ui.models.inventory import InstalledModel
from workbench.ui.models.parts import Notice, breakable, set_badge, show_only
from workbench.ui.models.state import ModelsState
from workbench.ui.tr import tr, trn
from workbench.ui.widgets import ElidedLabel, label, separator

PANEL_WIDTH = 340


class InstalledPanel(QScrollArea):
    asked = Signal(str)
    """What to do with the shown model: chat, load, unload, stop, inspect, defaults, folder, copy, delete."""

    def __init__(self, state: ModelsState) -> None:
        super().__init__()
        self._state = state
        self.model: InstalledModel | None = None
        self._shown: tuple[InstalledModel, LoadOptions, Expected | None] | None = None
        self.setObjectName("sidePanel")
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setMinimumWidth(PANEL_WIDTH - 40)
        self.setAccessibleName(tr("The chosen model"))
        content = self._content = QWidget()
        content.setObjectName("content")
        self._column = QVBoxLayout(content)
        self._column.setContentsMargins(18, 16, 18, 16)
        self._column.setSpacing(8)
        self.setWidget(content)
        self._rows: dict[str, tuple[QLabel, QLabel]] = {}
        self.buttons: dict[str, PushButton] = {}
        """Made with the rest when the first model is shown."""

    def _build(self) -> None:
        column = self._column
        self.title = label("", "heading", wrap=True, selectable=True)
        column.addWidget(self.title)
        self.badge = label("", "badge")
        column.addWidget(self.badge)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setRange(0, 1000)
        self.progress.setAccessibleName(tr("Progress of loading"))
        column.addWidget(self.progress)
        self.error = Notice(narrow=True)
        self.error.add_button(tr("Copy details"), self.error.copy_details, "copy")
        column.addWidget(self.error)
        for action, icon, title in (
            ("chat", "message-square", tr("Chat with it")),
            ("load", "power", tr("Load into memory")),
            ("stop", "square", tr("Stop loading")),
            ("unload", "power", tr("Unload")),
        ):
            self._button(action, icon, title, primary=action == "chat")
        self._facts = QGridLayout()
        self._facts.setHorizontalSpacing(14)
        self._facts.setVerticalSpacing(6)
        self._facts.setColumnStretch(1, 1)
        column.addSpacing(4)
        column.addLayout(self._facts)
        self.duplicate = Notice("card", narrow=True)
        column.addWidget(self.duplicate)
        column.addWidget(separator())
        for action, icon, title in (
            ("inspect", "file-search", tr("Look inside the file…")),
            ("defaults", "sliders-horizontal", tr("How it is loaded…")),
            ("folder", "folder", tr("Show in its folder")),
            ("copy", "copy", tr("Copy its path")),
            ("delete", "trash-2", tr("Delete…")),
        ):
            self._button(action, icon, title)
        self.buttons["delete"].setObjectName("danger")
        column.addStretch(1)

    def _button(self, action: str, icon: str, title: str, *, primary: bool = False) -> None:
        button = PushButton(title, icon_name=icon, primary=primary)
        button.clicked.connect(lambda: self.asked.emit(action))
        self.buttons[action] = button
        self._column.addWidget(button)

    def show_model(self, model: InstalledModel | None) -> None:
        if not self.buttons:
            if model is None:
                return
            self._build()
        if model is None or self.model is None or model.id != self.model.id:
            self.error.show_error(None)
        self.model = model
        self._content.setVisible(model is not None)
        if model is None:
            return
        shown = (model, self._state.defaults_of(model.id), self._state.expected.get(model.id))
        if shown != self._shown:  # making the rows anew costs some milliseconds
            self._shown = shown
            self.title.setText(breakable(model.name))
            self._show_facts(model)
            self.buttons["delete"].setVisible(not model.bundled)
        self._show_duplicates(model)
        self.show_loaded()
        QTimer.singleShot(0, self, self._fit_height)

    @Slot()
    def show_expected(self) -> None:
        self.show_model(self.model)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self.buttons:
            self._fit_height()

    @Slot()
    def _fit_height(self) -> None:
        """Room for every wrapped line: heights that the layouts remember may be of before the texts were styled."""
        self._facts.invalidate()
        self._column.invalidate()
        self._content.setMinimumHeight(self._column.totalHeightForWidth(self.viewport().width()))
        needed = self._column.minimumSize().width() + self.verticalScrollBar().sizeHint().width() + 2  # and the border
        self.setMinimumWidth(max(PANEL_WIDTH - 40, needed))  # large text, long words

    @Slot()
    def show_loaded(self) -> None:
        model = self.model
        if model is None:
            return
        fraction = self._state.loading.get(model.id)
        loaded = self._state.loaded.get(str(model.found.path))
        loading = fraction is not None
        self.progress.setVisible(loading)
        self.progress.setValue(round((fraction or 0.0) * 1000))
        embeds = model.info.capabilities == frozenset({"embeddings"})
        memory = {name: self.buttons[name] for name in ("load", "stop", "unload")}
        show_only(memory, ("stop" if loading else "load" if loaded is None else "unload",))
        self.buttons["chat"].setVisible(not embeds)
        if loading:
            set_badge(self.badge, tr("Loading, {percent} %", percent=number((fraction or 0) * 100)), "badge")
        elif loaded is None:
            set_badge(self.badge, tr("Not loaded"), "badge")
        else:
            parts = [tr("Answering") if loaded.running else tr("Loaded")]
            if loaded.memory_bytes:
                parts.append(size_text(loaded.memory_bytes))
            if loaded.n_ctx:
                parts.append(trn("{count} token of context", "{count} tokens of context", loaded.n_ctx))
            set_badge(self.badge, " · ".join(parts), "badgeGood")

    def _show_facts(self, model: InstalledModel) -> None:
        info, found = model.info, model.found
        context = number(info.context_length) if info.context_length else ""
        used = age_text(model.last_used) or tr("never")
        defaults = self._state.defaults_of(model.id)
        names = [name for name in LoadOptions.__struct_fields__ if getattr(defaults, name) is not None]
        own = ", ".join(f"{name} = {getattr(defaults, name)}" for name in names)
        rows = (
            (tr("Size"), size_text(found.size_bytes)),
            (tr("Needs"), self._needs(model)),
            (tr("Speed"), self._speed(model)),
            (tr("Parameters"), count_text(info.parameters)),
            (tr("Quantisation"), info.quantization),
            (tr("Architecture"), info.architecture),
            (tr("Context"), tr("{count} tokens", count=context) if context else ""),
            (tr("Can do"), abilities_text(info.capabilities)),
            (tr("Projector"), found.projector.name if found.projector else ""),
            (tr("Files"), str(len(found.files)) if len(found.files) > 1 else ""),
            (tr("Repository"), found.repo_id),
            (tr("Found in"), source_text(model.source)),
            (tr("Also as"), "\n".join(str(path) for path in found.also)),
            (tr("Last used"), used),
            (tr("Own defaults"), own),
            (tr("Id"), model.id),
            (tr("File"), str(found.path)),
        )
        for name, value in rows:
            title, text = self._row(name)
            if isinstance(text, ElidedLabel):
                text.set_text(value)
            else:
                text.setText(breakable(value))
            text.setAccessibleName(f"{name}: {value}")
            title.setVisible(bool(value))
            text.setVisible(bool(value))

    def _row(self, name: str) -> tuple[QLabel, QLabel]:
        """The row of this name, made when it is first wanted: rows made anew would blink."""
        if name not in self._rows:
            at = len(self._rows)
            text = ElidedLabel() if name in (tr("File"), tr("Id")) else label(wrap=True, selectable=True)
            self._rows[name] = label(name, "stat"), text
            self._facts.addWidget(self._rows[name][0], at, 0, Qt.AlignmentFlag.AlignTop)
            self._facts.addWidget(text, at, 1)
        return self._rows[name]

    def _needs(self, model: InstalledModel) -> str:
        """Memory it takes here, and whether that is free."""
        expected = self._state.expected.get(model.id)
        if expected is None:
            return ""
        fit = expected.fit
        text = tr("{memory} at {count} tokens", memory=memory_text(fit), count=number(fit.n_ctx))
        return text if fit.verdict in ("ram", "vram") else f"{text}. {verdict_text(fit.verdict)}."

    def _speed(self, model: InstalledModel) -> str:
        """What it was measured to do, or what is expected of it."""
        expected = self._state.expected.get(model.id)
        if expected is None or not expected.fit.tokens_per_s or model.info.capabilities == frozenset({"embeddings"}):
            return ""
        speed = speed_text(expected.fit.tokens_per_s)
        if not expected.runs:
            return tr("{speed}, not run yet", speed=speed)
        return trn("{speed}, from 1 run", "{speed}, from {count} runs", expected.runs, speed=speed)

    def _show_duplicates(self, model: InstalledModel) -> None:
        self.duplicate.setVisible(False)
        for group in self._state.duplicates:
            others = [other for other in group if other.path != model.found.path]
            if len(others) < len(group) and others:
                names = "\n".join(f"{self._state.owner_of(other)}: {other.path}" for other in others)
                self.duplicate.show_text(tr("The same content is here more than once"), names)
