"""What the window works with, once it is there: the services are opened after the window has been painted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from PySide6.QtCore import QObject, Signal

if TYPE_CHECKING:  # these pull in SQLite, Jinja and the engine's client: not before the first paint
    from workbench.core.paths import Paths
    from workbench.core.settings import SettingsFile
    from workbench.plugins import PluginManager
    from workbench.services.catalog import ModelCatalog
    from workbench.services.chat import ChatService
    from workbench.services.comparison import ComparisonService
    from workbench.services.keys import Keys
    from workbench.services.runner import Runner
    from workbench.store import Store


class Backend(NamedTuple):
    """The program's services, made by the composition root."""

    paths: Paths
    settings: SettingsFile
    store: Store
    plugins: PluginManager
    keys: Keys
    catalog: ModelCatalog
    runner: Runner
    chat: ChatService
    comparisons: ComparisonService


class BackendSlot(QObject):
    """Holds the backend as soon as it is open. Views draw themselves without it and fill in when it comes."""

    ready = Signal()
    failed = Signal()
    models_changed = Signal()
    """Models came or went on this machine: read the catalogue again."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.value: Backend | None = None

    def set(self, backend: Backend) -> None:
        self.value = backend
        self.ready.emit()

    def when_ready(self, callback: Callable[[], None]) -> None:
        """Call a bound method now, or as soon as the backend is there."""
        if self.value is not None:
            callback()
        else:
            self.ready.connect(callback)
