"""Loads plugins and calls their hooks, one by one, so that a broken plugin stops nobody else.

Three sources, one way: the plugins that ship with the program, installed packages with an entry point in the group
`workbench`, and files in the user's plugin folder.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import logging
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import pluggy

from workbench.core.errors import WorkbenchError
from workbench.core.models import ChatModel
from workbench.core.redact import format_exception, redact
from workbench.core.requests import Tool
from workbench.hookspecs import (
    PROJECT,
    Exporter,
    GraderPlugin,
    Importer,
    Panel,
    ProviderPlugin,
    Specs,
)

MODULE_PREFIX = "workbench_plugins"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PluginStatus:
    name: str
    source: str
    """The plugin's file or folder, or `package NAME`."""
    version: str = ""
    error: str = ""
    """Why it could not be loaded, or what its last failing hook raised; empty if all is well."""
    enabled: bool = True


class PluginManager:
    """All plugins of one start. `load` once; the other methods may then be called from any thread."""

    def __init__(self, *, folders: list[Path], disabled: Sequence[str] = (), entry_points: bool = True) -> None:
        self._folders = folders
        self._disabled = frozenset(disabled)
        self._entry_points = entry_points
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(Specs)
        self._statuses: dict[str, PluginStatus] = {}
        self._lock = threading.Lock()

    @property
    def hook(self) -> pluggy.HookRelay:
        """pluggy's own relay. One raising plugin ends such a call; prefer the methods below."""
        return self._manager.hook

    @property
    def loaded(self) -> list[PluginStatus]:
        """Every plugin that was found, those that failed or are switched off included."""
        with self._lock:
            return list(self._statuses.values())

    def load(self) -> None:
        """Find and register all plugins. Never raises: failures stand in `loaded`."""
        for folder in self._folders:
            for path in _plugin_files(folder):
                self._load_one(path.stem, str(path), "", lambda path=path: _import_file(path))  # type: ignore[misc]
        if self._entry_points:
            for entry in importlib.metadata.entry_points(group=PROJECT):
                package = entry.dist.name if entry.dist else entry.value
                version = entry.dist.version if entry.dist else ""
                self._load_one(entry.name, f"package {package}", version, entry.load)

    def register(self, plugin: object, name: str) -> None:
        """Add a plugin object under a name. Raises WorkbenchError if its hooks don't fit."""
        if name in self._statuses:
            raise WorkbenchError(f"There is a plugin named {name} already ({self._statuses[name].source}).")
        try:
            self._manager.register(plugin, name)
        except (pluggy.PluginValidationError, ValueError) as error:
            self._manager.unregister(name=name) if self._manager.has_plugin(name) else None
            raise WorkbenchError(f"The plugin {name} does not fit: {error}") from error
        unknown = [
            caller.name
            for caller in self._manager.get_hookcallers(plugin) or []
            if not caller.has_spec() and not all(impl.optionalhook for impl in caller.get_hookimpls())
        ]
        if unknown:
            self._manager.unregister(plugin)
            raise WorkbenchError(f"The plugin {name} has unknown hooks: {', '.join(sorted(unknown))}.")
        self._set_status(PluginStatus(name, "registered", str(getattr(plugin, "__version__", ""))))

    # --- what plugins offer, flattened ------------------------------------------------------------------------
    def providers(self) -> list[ProviderPlugin]:
        return self._collect("workbench_providers")

    def models(self) -> list[ChatModel]:
        return self._collect("workbench_models")

    def graders(self) -> list[GraderPlugin]:
        return self._collect("workbench_graders")

    def exporters(self) -> list[Exporter]:
        return self._collect("workbench_exporters")

    def importers(self) -> list[Importer]:
        return self._collect("workbench_importers")

    def tools(self) -> list[Tool]:
        return self._collect("workbench_tools")

    def panels(self) -> list[Panel]:
        return self._collect("workbench_panels")

    def prices(self) -> dict[str, dict[str, Any]]:
        """Prices by model id; where two plugins price the same model, the later one's hold."""
        merged: dict[str, dict[str, Any]] = {}
        for name, result in self._each("workbench_prices"):
            if isinstance(result, dict):
                merged.update(result)
            else:
                self._report(name, f"workbench_prices returned {type(result).__name__} instead of a dict")
        return merged

    def add_commands(self, cli: click.Group) -> None:
        for _ in self._each("workbench_commands", cli=cli):
            pass

    def _collect(self, hook_name: str) -> list[Any]:
        items: list[Any] = []
        for name, result in self._each(hook_name):
            if isinstance(result, list | tuple):
                items.extend(result)
            else:
                self._report(name, f"{hook_name} returned {type(result).__name__} instead of a list")
        return items

    def _each(self, hook_name: str, **arguments: Any) -> Iterator[tuple[str, Any]]:
        """Each plugin's name and answer, in the order of registration. One that raises is reported and left out."""
        caller: pluggy.HookCaller = getattr(self._manager.hook, hook_name)
        for implementation in caller.get_hookimpls():
            try:
                result = implementation.function(*(arguments[name] for name in implementation.argnames))
            except Exception as error:  # a plugin may raise anything
                self._report(implementation.plugin_name, f"{hook_name}: {_describe(error)}", error)
            else:
                if result is not None:
                    yield implementation.plugin_name, result

    # --- loading ----------------------------------------------------------------------------------------------
    def _load_one(self, name: str, source: str, version: str, load: Callable[[], Any]) -> None:
        if name in self._statuses:
            _log.error("Plugin %s (%s) is left out: the name is taken", name, source)
            taken = f"{name} ({source})"
            error = f"The name is taken by {self._statuses[name].source}."
            self._set_status(PluginStatus(taken, source, version, error))
            return
        if name in self._disabled:
            self._set_status(PluginStatus(name, source, version, enabled=False))
            return
        try:
            plugin = load()
            self.register(plugin, name)
        except (Exception, SystemExit) as error:  # a plugin may raise anything, and scripts call sys.exit
            _log.error("Plugin %s (%s) failed to load:\n%s", name, source, format_exception(error))
            self._set_status(PluginStatus(name, source, version, redact(_describe(error))))
            return
        self._set_status(PluginStatus(name, source, version or str(getattr(plugin, "__version__", ""))))

    def _report(self, name: str, message: str, error: Exception | None = None) -> None:
        _log.error("Plugin %s failed: %s", name, format_exception(error) if error else message)
        with self._lock:
            status = self._statuses.get(name) or PluginStatus(name, "registered")
            self._statuses[name] = replace(status, error=redact(message))

    def _set_status(self, status: PluginStatus) -> None:
        with self._lock:
            self._statuses[status.name] = status


def _plugin_files(folder: Path) -> list[Path]:
    """Plugins in a folder: `NAME.py`, or a folder `NAME` with an `__init__.py`. Names with _ or . in front are not."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []
    return [
        entry
        for entry in entries
        if not entry.name.startswith(("_", "."))
        and ((entry.suffix == ".py" and entry.is_file()) or (entry / "__init__.py").is_file())
    ]


def _import_file(path: Path) -> types.ModuleType:
    """Import a plugin by its path, as `workbench_plugins.NAME`, so that it can't shadow a real module."""
    if MODULE_PREFIX not in sys.modules:
        namespace = types.ModuleType(MODULE_PREFIX, "Plugins loaded by file.")
        namespace.__path__ = []
        sys.modules[MODULE_PREFIX] = namespace
    full_name = f"{MODULE_PREFIX}.{path.stem}"
    is_package = path.is_dir()
    spec = importlib.util.spec_from_file_location(
        full_name,
        path / "__init__.py" if is_package else path,
        submodule_search_locations=[str(path)] if is_package else None,
    )
    if spec is None or spec.loader is None:
        raise WorkbenchError(f"{path} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[full_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(full_name, None)
        raise
    setattr(sys.modules[MODULE_PREFIX], path.stem, module)
    return module


def _describe(error: BaseException) -> str:
    if isinstance(error, WorkbenchError):
        return str(error)
    return f"{type(error).__name__}: {error}"
