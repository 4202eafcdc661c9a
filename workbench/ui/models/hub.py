"""The Hub as the window reaches it: opened in a worker when the Models place is first shown; nothing connects."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from workbench.core.errors import ErrorInfo
from workbench.services.keys import HUB_TOKEN
from workbench.ui.context import Context
from workbench.ui.tr import tr

if TYPE_CHECKING:
    from workbench.services.fit import Machine
    from workbench.services.hub_access import HubAccess


class HubSlot(QObject):
    """Holds the `HubAccess` of this window and what is known of the machine."""

    ready = Signal()
    failed = Signal(object)
    """ErrorInfo."""
    machine_changed = Signal()
    token_changed = Signal()

    def __init__(self, context: Context, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.access: HubAccess | None = None
        self.machine: Machine | None = None
        self._asking_machine = False
        context.backend.when_ready(self._open)

    @property
    def offline(self) -> bool:
        """Whether the settings or the environment forbid connections."""
        if self.access is not None:
            return self.access.offline
        return self._context.settings.value.network.offline

    def ask_machine(self, *, again: bool = False) -> None:
        """Find out RAM, GPUs and bandwidth, in a worker: takes about a second the first time."""
        access = self.access
        if access is None or self._asking_machine or (self.machine is not None and not again):
            return
        self._asking_machine = True

        def work() -> Machine:
            machine: Machine = importlib.import_module("workbench.services.machine").this_machine(access.experience)
            return machine

        self._context.jobs.run(work, self._set_machine, self._machine_failed, owner=self)

    def save_token(self, token: str) -> None:
        """Keep an access token of the Hub, in the keyring where there is one."""
        backend = self._context.backend.value
        if backend is None:
            return
        keys = backend.keys

        def done(place: object) -> None:
            if str(place) == "file":
                self._context.shell.toast(tr("The token is kept in a file: {warning}", warning=keys.warning))
            self.token_changed.emit()

        self._context.jobs.run(lambda: keys.set(HUB_TOKEN, token), done, self.failed.emit, owner=self)

    def close(self) -> None:
        """Pause the downloads and close connections."""
        access, self.access = self.access, None
        if access is not None:
            access.close()

    @Slot()
    def _open(self) -> None:
        backend = self._context.backend.value
        if backend is None:
            return
        settings, keys, paths = backend.settings, backend.keys, backend.paths
        experience = backend.catalog.learner.experience

        def work() -> HubAccess:
            module = importlib.import_module("workbench.services.hub_access")
            access: HubAccess = module.HubAccess(settings, keys, paths, experience)
            _ = access.downloads  # reads the list of an earlier start
            return access

        self._context.jobs.run(work, self._opened, self.failed.emit, owner=self)

    def _opened(self, access: HubAccess) -> None:
        self.access = access
        self.ready.emit()

    def _set_machine(self, machine: Machine) -> None:
        self._asking_machine = False
        self.machine = machine
        self.machine_changed.emit()

    def _machine_failed(self, error: ErrorInfo) -> None:
        self._asking_machine = False
        self.failed.emit(error)
