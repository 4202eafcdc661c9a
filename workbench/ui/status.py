"""The status bar: what is loaded, memory, running work, offline or online."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QSizePolicy

from workbench.ui.backend import BackendSlot
from workbench.ui.context import SettingsModel
from workbench.ui.formats import decimal
from workbench.ui.icons import IconButton, IconLabel
from workbench.ui.jobs import Jobs
from workbench.ui.tr import tr
from workbench.ui.widgets import ElidedLabel

REFRESH_MS = 2000
LONG_WORK_S = 10.0
"""Work that took longer is worth a notification."""
GIB = 1024**3


@dataclass(frozen=True, slots=True)
class MachineState:
    memory_used: int
    memory_total: int
    loaded: tuple[str, ...]
    """Names of the local models in memory."""
    gpu_used: int = 0
    gpu_total: int = 0
    """Bytes; 0 while no model has layers on a GPU."""


@dataclass(slots=True)
class Work:
    began_s: float
    """Of the monotonic clock."""
    text: str
    fraction: float | None
    stop: Callable[[], object] | None


def read_machine(slot: BackendSlot) -> MachineState:
    """Memory of this machine and the loaded models. Runs in a worker."""
    import psutil  # noqa: PLC0415  (20 ms at start; needed only after the first paint)

    memory = psutil.virtual_memory()
    backend = slot.value
    loaded = backend.catalog.loaded() if backend else []
    gpu_used = gpu_total = 0
    for model in loaded:
        if model.loaded is not None and model.loaded.n_gpu_layers:  # they see the same GPUs: one answer is enough
            report = model.status
            if report is not None:
                gpu_used, gpu_total = report.gpu_memory_used, report.gpu_memory_total
                break
    names = tuple(model.info.name for model in loaded)
    return MachineState(memory.total - memory.available, memory.total, names, gpu_used, gpu_total)


class _Line(ElidedLabel):
    """A label that ends with an ellipsis where there is no room: a long model name must not keep the window from being
    made narrow, and half a number would be another number."""

    def __init__(self, text: str, hint: str = "") -> None:
        """`hint`: what the tool tip says while the text is whole."""
        self._hint = hint
        super().__init__(text)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)

    def text(self) -> str:
        """All of it."""
        return self.full_text

    def _elide(self) -> None:
        super()._elide()
        if not self.toolTip():
            self.setToolTip(self._hint)

    def setText(self, text: str) -> None:
        if text != self.full_text:
            self.set_text(text)
            self.setAccessibleName(text)  # not the cut one


class StatusBar(QFrame):
    long_work_done = Signal(str)
    """Work that took longer than `LONG_WORK_S` has ended, with what came of it."""

    def __init__(self, slot: BackendSlot, settings: SettingsModel, jobs: Jobs, show_help: Callable[[], object]) -> None:
        super().__init__()
        self.setObjectName("statusBar")
        self.setAccessibleName(tr("Status"))
        self._slot, self._settings, self._jobs = slot, settings, jobs
        self._work: dict[str, Work] = {}
        self._concealed = False
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 2, 8, 2)
        row.setSpacing(6)
        self._loaded_icon = IconLabel("cpu", 14)
        row.addWidget(self._loaded_icon)
        self.loaded = _Line(tr("No model loaded"))
        row.addWidget(self.loaded)
        row.addSpacing(12)
        row.addWidget(IconLabel("memory-stick", 14))
        self.memory = _Line("…", tr("Memory in use on this machine"))
        row.addWidget(self.memory)
        row.addStretch(1)
        self.work_text = _Line("")
        row.addWidget(self.work_text)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedWidth(120)
        self.progress.setAccessibleName(tr("Progress of the running work"))
        row.addWidget(self.progress)
        self.stop = IconButton("x", tr("Stop the running work"), size=14)
        self.stop.clicked.connect(self._stop)
        row.addWidget(self.stop)
        row.addSpacing(8)
        self.offline = IconButton("wifi", tr("Online"), text=tr("Online"), size=14)
        self.offline.clicked.connect(self._toggle_offline)
        row.addWidget(self.offline)
        self.help = IconButton("circle-help", tr("Help"), size=14)
        self.help.set_title(tr("Help"), "F1")
        self.help.clicked.connect(lambda: show_help())
        row.addWidget(self.help)
        settings.changed.connect(self._show_network)
        self._show_network()
        self._show_work()
        self._timer = QTimer(self)
        self._timer.setInterval(REFRESH_MS)
        self._timer.timeout.connect(self.refresh)
        slot.when_ready(self._start)

    def conceal_models(self, concealed: bool) -> None:
        """While answers are judged blindly the loaded models would tell who wrote them."""
        self._concealed = concealed
        if concealed:
            self.loaded.setText(tr("Models are hidden until the vote"))
            self.loaded.setAccessibleName(self.loaded.text())
            self.loaded.setToolTip("")
        else:
            self.refresh()

    def set_work(
        self, key: str, text: str, fraction: float | None, stop: Callable[[], object] | None, done: str = ""
    ) -> None:
        """Empty text: the work has ended. `done` says what came of it, for users who are elsewhere."""
        old = self._work.pop(key, None)
        began_s = old.began_s if old is not None else time.monotonic()
        if text:
            self._work[key] = Work(began_s, text, fraction, stop)
        elif done and old is not None and time.monotonic() - began_s >= LONG_WORK_S:
            self.long_work_done.emit(done)
        self._show_work()

    @property
    def running(self) -> list[str]:
        """What is under way, in words."""
        return [work.text for work in self._work.values()]

    @Slot()
    def refresh(self) -> None:
        slot = self._slot
        self._jobs.run(lambda: read_machine(slot), self._show_machine, owner=self, key="status")

    @Slot()
    def _start(self) -> None:
        self._timer.start()
        self.refresh()

    def _show_machine(self, state: MachineState) -> None:
        names = ", ".join(state.loaded)
        if not self._concealed:
            self.loaded.setText(tr("{names} loaded", names=names) if names else tr("No model loaded"))
            self.loaded.setAccessibleName(self.loaded.text())
        used, total = state.memory_used / GIB, state.memory_total / GIB
        text = tr("{used} of {total} GB RAM used", used=decimal(used), total=decimal(total))
        if state.gpu_total:
            used, total = state.gpu_used / GIB, state.gpu_total / GIB
            text += " · " + tr("{used} of {total} GB VRAM used", used=decimal(used), total=decimal(total))
        self.memory.setText(text)

    def _show_work(self) -> None:
        visible = bool(self._work)
        for widget in (self.work_text, self.progress, self.stop):
            widget.setVisible(visible)
        if not visible:
            return
        work = list(self._work.values())[-1]
        more = len(self._work) - 1
        self.work_text.setText(work.text + (tr(" and {count} more", count=more) if more else ""))
        self.progress.setRange(0, 0 if work.fraction is None else 1000)
        if work.fraction is not None:
            self.progress.setValue(round(work.fraction * 1000))
        self.stop.setVisible(work.stop is not None)

    @Slot()
    def _stop(self) -> None:
        work = list(self._work.values())[-1] if self._work else None
        if work is not None and work.stop is not None:
            work.stop()

    @Slot()
    def _show_network(self) -> None:
        offline = self._settings.value.network.offline
        text = tr("Offline") if offline else tr("Online")
        self.offline.set_icon("wifi-off" if offline else "wifi")
        self.offline.setText(f" {text}")
        tip = tr("Offline: nothing leaves this machine. Click to go online.")
        if not offline:
            tip = tr("Online: connects only when you ask for it. Click to switch every connection off.")
        self.offline.setToolTip(tip)
        self.offline.setAccessibleName(tip)

    @Slot()
    def _toggle_offline(self) -> None:
        toggle_offline(self._settings)


def toggle_offline(settings: SettingsModel) -> None:
    value = settings.value
    network = msgspec.structs.replace(value.network, offline=not value.network.offline)
    settings.save(msgspec.structs.replace(value, network=network))
