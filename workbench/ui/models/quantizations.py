"""The quantisations of a repository: one row each, with size, verdict, speed and the button that fits."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QSizePolicy, QVBoxLayout, QWidget

from workbench.hub.repos import Quantization
from workbench.services.fit import Fit
from workbench.ui.flow import FlowLayout
from workbench.ui.formats import percent, size_text
from workbench.ui.icons import PushButton
from workbench.ui.models.formats import fit_badge, fit_text, memory_text, speed_text
from workbench.ui.models.parts import set_badge
from workbench.ui.settings.section import clear
from workbench.ui.tr import tr, translated, trn
from workbench.ui.widgets import label, separator

ROWS_A_TURN = 4
TURN_MS = 5


@dataclass(frozen=True, slots=True)
class RowState:
    """What a row shows."""

    fit: Fit | None = None
    recommended: str = ""
    """Why it is the recommended one; empty where it is not."""
    installed: bool = False
    download_state: str = ""
    fraction: float = 0.0
    allowed: bool = True
    """Whether its files may be fetched."""


class QuantizationRow(QWidget):
    download_requested = Signal(object)
    chat_requested = Signal(object)
    downloads_requested = Signal()

    def __init__(self, model: Quantization) -> None:
        super().__init__()
        self.model = model
        self.state = RowState()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 9, 0, 9)
        row.setSpacing(12)
        left = QVBoxLayout()
        left.setSpacing(2)
        head = FlowLayout(spacing=8)
        self.name = label(model.label, "sectionTitle", selectable=True)
        self.name.setToolTip("\n".join(file.path for file in model.files))
        head.addWidget(self.name)
        self.recommended = label(tr("Recommended"), "badgeGood")
        self.recommended.hide()
        head.addWidget(self.recommended)
        left.addLayout(head)
        self.detail = label("", "small", wrap=True)
        left.addWidget(self.detail)
        row.addLayout(left, 1)
        middle = QVBoxLayout()
        middle.setSpacing(3)
        self.verdict = label("", "badge")
        middle.addWidget(self.verdict, 0, Qt.AlignmentFlag.AlignRight)
        self.speed = label("", "small")
        self.speed.setAlignment(Qt.AlignmentFlag.AlignRight)
        middle.addWidget(self.speed)
        row.addLayout(middle)
        right = QVBoxLayout()
        right.setSpacing(4)
        self.button = PushButton(tr("Download"), icon_name="download")
        self.button.setMinimumWidth(132)
        self.button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.button.clicked.connect(self._clicked)
        right.addWidget(self.button)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setRange(0, 1000)
        self.progress.setAccessibleName(tr("Progress of {name}", name=model.label))
        self.progress.hide()
        right.addWidget(self.progress)
        row.addLayout(right)
        self.set_state(RowState())

    def set_state(self, state: RowState) -> None:
        self.state = state
        fit = state.fit
        if not self.model.complete:
            set_badge(self.verdict, tr("Parts missing"), "badgeWarn")
            self.speed.setText("")
        elif fit is None:
            set_badge(self.verdict, "", "badge")
            self.speed.setText("")
        else:
            set_badge(self.verdict, fit_text(fit), fit_badge(fit))
            self.speed.setText(speed_text(fit.tokens_per_s))
            self.setToolTip(translated(fit.advice))
        self.recommended.setVisible(bool(state.recommended))
        self.detail.setText(self._detail())
        self._show_button()
        parts = [self.model.label, self.detail.text(), self.verdict.text(), self.speed.text()]
        self.setAccessibleName(", ".join(part for part in parts if part))

    def _detail(self) -> str:
        parts = [size_text(self.model.size_bytes)]
        if self.model.is_split:
            parts.append(trn("{count} file", "{count} files", len(self.model.files)))
        if self.state.fit is not None:
            parts.append(tr("needs {memory}", memory=memory_text(self.state.fit)))
        text = " · ".join(parts)
        if self.state.recommended:
            reason = self.state.recommended
            text += "\n" + reason[:1].upper() + reason[1:]
        return text

    def _show_button(self) -> None:
        state = self.state
        texts = {
            "queued": (tr("Waiting"), "clock"),
            "running": (percent(state.fraction), "download"),
            "paused": (tr("Paused"), "pause"),
            "failed": (tr("Failed"), "triangle-alert"),
        }
        text, icon = texts.get(state.download_state, (tr("Download"), "download"))
        if state.installed:
            text, icon = tr("Chat"), "message-square"
        self.button.setText(f" {text}")
        self.button.set_icon(icon)
        offered = bool(state.recommended) and not state.installed and not state.download_state
        self.button.set_primary(offered and self.model.complete and state.allowed)
        self.button.setEnabled(state.installed or (self.model.complete and state.allowed))
        titles = {"": tr("Download {name}", name=self.model.label)}
        title = titles.get(state.download_state, tr("{name}: show the download", name=self.model.label))
        self.button.setAccessibleName(tr("Chat with {name}", name=self.model.label) if state.installed else title)
        self.progress.setVisible(not state.installed and state.download_state in ("running", "paused"))
        self.progress.setValue(round(state.fraction * 1000))

    @Slot()
    def _clicked(self) -> None:
        if self.state.installed:
            self.chat_requested.emit(self.model)
        elif self.state.download_state in ("queued", "running", "paused", "failed"):
            self.downloads_requested.emit()
        else:
            self.download_requested.emit(self.model)


class QuantizationList(QFrame):
    """All rows in one card; made a few at a time, for some repositories have many."""

    download_requested = Signal(object)
    chat_requested = Signal(object)
    downloads_requested = Signal()
    filled = Signal()
    """All rows are there."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self.setAccessibleName(tr("Quantisations"))
        self.rows: list[QuantizationRow] = []
        self._waiting: list[Quantization] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(16, 4, 16, 4)
        self._column.setSpacing(0)

    def set_models(self, models: tuple[Quantization, ...]) -> None:
        if tuple(row.model for row in self.rows) + tuple(self._waiting) == models:
            return
        clear(self._column)
        self.rows = []
        self._waiting = list(models)
        self._add_rows()

    @Slot()
    def _add_rows(self) -> None:
        shown, self._waiting = self._waiting[:ROWS_A_TURN], self._waiting[ROWS_A_TURN:]
        for model in shown:
            if self.rows:
                self._column.addWidget(separator())
            row = QuantizationRow(model)
            row.download_requested.connect(self.download_requested)
            row.chat_requested.connect(self.chat_requested)
            row.downloads_requested.connect(self.downloads_requested)
            self._column.addWidget(row)
            self.rows.append(row)
        if self._waiting:
            QTimer.singleShot(TURN_MS, self, self._add_rows)
        self.filled.emit()
