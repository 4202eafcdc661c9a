"""The panel at the right: presets, system prompt, sampling, response format, reasoning and loading."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from PySide6 import QtWidgets
from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QFontMetrics, QPaintEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from workbench.core.chat_options import ChatOptions, from_saved, to_saved
from workbench.core.requests import LoadOptions, Sampling
from workbench.ui.chat.format_editor import FormatEditor
from workbench.ui.chat.parameter_editor import ParameterEditor
from workbench.ui.chat.parameters import LOAD, SAMPLING
from workbench.ui.chat.reasoning_editor import ReasoningEditor
from workbench.ui.chat.state import ChatState
from workbench.ui.chat.token_meter import loaded_model
from workbench.ui.context import Context
from workbench.ui.icons import IconButton
from workbench.ui.jobs import SERIAL
from workbench.ui.theme import ui_font
from workbench.ui.tr import tr, trc
from workbench.ui.widgets import Section, label

if TYPE_CHECKING:
    from workbench.store.values import Preset

WIDTH = 320
PROMPT_SAVE_MS = 500
SYSTEM_PROMPT_LINES = 5

SHORT_NAME = 8
"""Characters of a preset's name that are always seen."""


class SidePanel(QFrame):
    """Edits the chat's options through its state; shows them again when they change elsewhere."""

    hide_requested = Signal()

    def __init__(self, state: ChatState, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sidePanel")
        self.setAccessibleName(tr("Chat options"))
        self.setMinimumWidth(260)
        self._state, self._context = state, context
        self._presets: list[Preset] = []
        self._filling = False
        self._filled = False
        self._waiting: list[tuple[Section, Callable[[Section], None]]] = []
        self.system_prompt: QPlainTextEdit | None = None
        self.sampling: ParameterEditor | None = None
        self.format: FormatEditor | None = None
        self.reasoning: ReasoningEditor | None = None
        self.load: ParameterEditor | None = None
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        self._build_head(outer)
        self._outer = outer

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._filled:
            QTimer.singleShot(0, self, self.fill)

    @Slot()
    def fill(self) -> None:
        """Make the editors: right after the window's first paint, which would otherwise wait for 200 widgets, and one
        part in each turn of the event loop. Closed parts are made when they are opened."""
        if self._filled:
            return
        self._filled = True
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setAccessibleName(tr("Chat options"))
        content = QWidget()
        content.setObjectName("content")
        self._column = QVBoxLayout(content)
        self._column.setContentsMargins(16, 4, 14, 16)
        self._column.setSpacing(6)
        scroll.setWidget(content)
        self._outer.addWidget(scroll, 1)
        self._build_presets()
        self._waiting = [
            (self._section("system", tr("System prompt"), True), self._fill_system_prompt),
            (self._section("sampling", tr("Sampling"), True), self._fill_sampling),
            (self._section("format", tr("Response format"), False), self._fill_format),
            (self._section("reasoning", tr("Reasoning"), False), self._fill_reasoning),
            (self._section("load", trc("how models are loaded", "Loading"), False), self._fill_load),
        ]
        self.load_section = self._waiting[-1][0]
        self._column.addStretch(1)
        state = self._state
        state.options_changed.connect(self.show_options)
        state.model_changed.connect(self.show_model)
        state.models_changed.connect(self.show_model)
        state.model_changed.connect(self.read_defaults)
        self._context.backend.when_ready(self._load_presets)
        self.show_model()
        self._fill_next()

    @Slot()
    def _fill_next(self) -> None:
        """Make the first open part that is not made yet, and come again for the next."""
        for position, (section, build) in enumerate(self._waiting):
            if section.is_open:
                del self._waiting[position]
                build(section)
                self.show_options()
                QTimer.singleShot(0, self, self._fill_next)
                return

    # --- building --------------------------------------------------------------------------------------------
    def _build_head(self, outer: QVBoxLayout) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(16, 10, 8, 6)
        head.addWidget(label(tr("Options"), "sectionTitle"))
        head.addStretch(1)
        self.reset = IconButton("rotate-ccw", tr("Reset everything to the model's defaults"), size=16)
        self.reset.clicked.connect(self._reset)
        head.addWidget(self.reset)
        hide = IconButton("panel-right", tr("Hide the options"))
        hide.clicked.connect(self.hide_requested)
        head.addWidget(hide)
        outer.addLayout(head)

    def _section(self, key: str, title: str, opened: bool) -> Section:
        remembered = self._context.state.value.sections
        section = Section(title, remembered.get(key, opened))
        section.toggled.connect(lambda is_open: self._remember(key, is_open))
        section.toggled.connect(self._fill_next)
        self._column.addWidget(section)
        return section

    def _build_presets(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(4)
        self.presets = QComboBox()
        self.presets.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.presets.setMinimumContentsLength(SHORT_NAME)  # a long name must not push what is below out of sight
        self.presets.setAccessibleName(tr("Presets"))
        self.presets.activated.connect(self._apply_preset)
        row.addWidget(self.presets, 1)
        save = IconButton("save", tr("Save these options as a preset"), size=16)
        save.clicked.connect(self.save_preset)
        row.addWidget(save)
        self.delete = IconButton("trash-2", tr("Delete this preset"), size=16)
        self.delete.clicked.connect(self.delete_preset)
        row.addWidget(self.delete)
        self._column.addLayout(row)
        self._column.addSpacing(4)
        self._show_presets([])

    def _fill_system_prompt(self, section: Section) -> None:
        self.system_prompt = QPlainTextEdit()
        self.system_prompt.setAccessibleName(tr("System prompt"))
        self.system_prompt.setPlaceholderText(tr("How the model should behave. Empty: no system prompt."))
        self.system_prompt.setTabChangesFocus(True)
        self._fit_system_prompt()
        self._context.theme.changed.connect(self._fit_system_prompt)
        self.system_prompt.textChanged.connect(self._prompt_changed)
        section.content.addWidget(self.system_prompt)
        self._prompt_timer = QTimer(self)
        self._prompt_timer.setSingleShot(True)
        self._prompt_timer.setInterval(PROMPT_SAVE_MS)
        self._prompt_timer.timeout.connect(self.apply_prompt)

    @Slot()
    def _fit_system_prompt(self) -> None:
        """Room for some lines of text, whatever its size."""
        if self.system_prompt is not None:
            line = QFontMetrics(ui_font(self._context.theme.scale)).lineSpacing()
            self.system_prompt.setFixedHeight(line * SYSTEM_PROMPT_LINES + 18)

    def _fill_sampling(self, section: Section) -> None:
        self.sampling = ParameterEditor(SAMPLING, Sampling())
        self.sampling.changed.connect(lambda value: self._change(sampling=value))
        reset = IconButton("rotate-ccw", tr("Reset sampling to the model's defaults"), size=14)
        reset.clicked.connect(lambda: self._change(sampling=Sampling()))
        section.add_head_widget(reset)
        section.content.addWidget(self.sampling)
        self.read_defaults()

    def _fill_format(self, section: Section) -> None:
        self.format = FormatEditor(self._context.jobs)
        self.format.changed.connect(lambda value: self._change(response_format=value))
        section.content.addWidget(self.format)

    def _fill_reasoning(self, section: Section) -> None:
        self.reasoning = ReasoningEditor()
        self.reasoning.changed.connect(lambda value: self._change(reasoning=value))
        section.content.addWidget(self.reasoning)

    def _fill_load(self, section: Section) -> None:
        note = tr("How the local model is loaded. Other values load it again at the next message.")
        section.content.addWidget(label(note, "small", wrap=True))
        self.load = ParameterEditor(LOAD, LoadOptions())
        self.load.changed.connect(lambda value: self._change(load=value))
        section.content.addWidget(self.load)

    # --- showing ---------------------------------------------------------------------------------------------
    @Slot()
    def show_options(self) -> None:
        options = self._state.options
        self._filling = True
        if self.system_prompt is not None and self.system_prompt.toPlainText() != options.system_prompt:
            self.system_prompt.setPlainText(options.system_prompt)
        if self.sampling is not None:
            self.sampling.set_value(options.sampling)
        if self.format is not None:
            self.format.set_value(options.response_format)
        if self.load is not None:
            self.load.set_value(options.load)
        if self.reasoning is not None:
            self.reasoning.set_value(options.reasoning)
        self._filling = False
        self.reset.setEnabled(options != ChatOptions())

    @Slot()
    def show_model(self) -> None:
        model = self._state.model
        self.load_section.setVisible(model is None or not model.remote)

    @Slot()
    def read_defaults(self) -> None:
        """What the model's file recommends is known once it is loaded."""
        backend, model = self._state.backend, self._state.model
        if backend is None or model is None or self.sampling is None:
            self.set_default_sampling({})
            return
        model_id = model.id

        def work() -> dict[str, Any]:
            loaded = getattr(loaded_model(backend, model_id), "loaded", None)
            return dict(loaded.default_sampling) if loaded is not None else {}

        self._context.jobs.run(work, self.set_default_sampling, owner=self, key=f"default-sampling-{id(self)}")

    def set_default_sampling(self, values: dict[str, Any]) -> None:
        if self.sampling is not None:
            self.sampling.set_defaults(values)

    # --- changing --------------------------------------------------------------------------------------------
    def _change(self, **changes: Any) -> None:
        if not self._filling:
            self._state.set_options(replace(self._state.options, **changes))

    @Slot()
    def _prompt_changed(self) -> None:
        if not self._filling:
            self._prompt_timer.start()

    @Slot()
    def apply_prompt(self) -> None:
        """Take over the system prompt now (it is otherwise taken a moment after typing)."""
        if self.system_prompt is not None:
            self._prompt_timer.stop()
            self._change(system_prompt=self.system_prompt.toPlainText())

    @Slot()
    def _reset(self) -> None:
        before = self._state.options
        self._state.set_options(ChatOptions())
        self._context.shell.toast(tr("Options reset"), tr("Undo"), lambda: self._state.set_options(before))

    def _remember(self, key: str, is_open: bool) -> None:
        self._context.state.value.sections[key] = is_open
        self._context.state.touch()

    # --- presets ---------------------------------------------------------------------------------------------
    @Slot()
    def _load_presets(self) -> None:
        backend = self._state.backend
        if backend is not None:
            self._context.jobs.run(
                lambda: backend.store.presets("chat"),
                self._show_presets,
                self._state.failed.emit,
                owner=self,
                lane=SERIAL,
            )

    def _show_presets(self, presets: list[Preset]) -> None:
        self._presets = presets
        selected = self.presets.currentText()
        blocker = QSignalBlocker(self.presets)
        self.presets.clear()
        self.presets.addItem(tr("Presets") if presets else tr("No presets yet"), None)
        for preset in presets:
            self.presets.addItem(preset.name, preset.name)
        self.presets.setCurrentIndex(max(self.presets.findText(selected), 0))
        blocker.unblock()
        self.delete.setEnabled(self.presets.currentData() is not None)

    @Slot()
    def _apply_preset(self) -> None:
        name = self.presets.currentData()
        self.delete.setEnabled(name is not None)
        preset = next((entry for entry in self._presets if entry.name == name), None)
        if preset is not None:
            self._state.set_options(from_saved(preset.options))

    @Slot()
    def save_preset(self) -> None:
        backend = self._state.backend
        self.apply_prompt()
        known = self.presets.currentData() or ""
        name, accepted = QtWidgets.QInputDialog.getText(
            self, tr("Save preset"), tr("Name"), QLineEdit.EchoMode.Normal, known
        )
        if backend is None or not accepted or not name.strip():
            return
        options = to_saved(self._state.options)

        def done(_result: object) -> None:
            self.presets.addItem(name.strip())
            self.presets.setCurrentText(name.strip())
            self._load_presets()

        self._context.jobs.run(
            lambda: backend.store.save_preset(name.strip(), "chat", options),
            done,
            self._state.failed.emit,
            owner=self,
            lane=SERIAL,
        )

    @Slot()
    def delete_preset(self) -> None:
        backend, name = self._state.backend, self.presets.currentData()
        preset = next((entry for entry in self._presets if entry.name == name), None)
        if backend is None or preset is None:
            return
        store, jobs = backend.store, self._context.jobs

        def restore() -> None:
            jobs.run(
                lambda: store.save_preset(preset.name, "chat", preset.options),
                lambda _result: self._load_presets(),
                owner=self,
                lane=SERIAL,
            )

        def done(_result: object) -> None:
            self.presets.setCurrentIndex(0)
            self._load_presets()
            self._context.shell.toast(tr("Preset deleted"), tr("Undo"), restore)

        jobs.run(
            lambda: store.delete_preset(preset.name, "chat"), done, self._state.failed.emit, owner=self, lane=SERIAL
        )
