"""The user's settings: typed values with defaults, kept in one JSON file.

The structure is the schema: `json_schema()` describes it, decoding checks it. Unknown keys survive a save, so a
newer version's settings are not lost by starting an older one.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta

from workbench.core.requests import LoadOptions, Sampling


class Appearance(msgspec.Struct, frozen=True, kw_only=True):
    theme: Annotated[Literal["system", "light", "dark"], Meta(description="Colours of the window.")] = "system"
    text_scale: Annotated[int, Meta(ge=80, le=200, description="Text size in percent.")] = 100
    language: Annotated[str, Meta(description="Language tag, empty for the system's.")] = ""
    notifications: Annotated[
        bool, Meta(description="Tell the desktop when long work is done while the window is not in front.")
    ] = True


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    load: Annotated[LoadOptions, Meta(description="How local models are loaded unless a model says otherwise.")] = (
        LoadOptions()
    )
    sampling: Annotated[Sampling, Meta(description="Sampling used where neither the chat nor a preset says.")] = (
        Sampling()
    )
    per_model: Annotated[dict[str, LoadOptions], Meta(description="Load options by model id.")] = {}
    keep_loaded: Annotated[int, Meta(ge=1, le=16, description="Most local models kept in memory at once.")] = 2


class Network(msgspec.Struct, frozen=True, kw_only=True):
    offline: Annotated[bool, Meta(description="Never open a connection to another machine.")] = False
    proxy: Annotated[str, Meta(description="Proxy URL, empty for the system's.")] = ""
    ca_file: Annotated[str, Meta(description="File with extra certificate authorities, PEM.")] = ""
    download_limit_kib_s: Annotated[int, Meta(ge=0, description="Download limit in KiB/s, 0 for none.")] = 0


class Folders(msgspec.Struct, frozen=True, kw_only=True):
    model_folders: Annotated[tuple[str, ...], Meta(description="Further folders with GGUF files.")] = ()
    download_folder: Annotated[str, Meta(description="Where downloads go, empty for the Hugging Face cache.")] = ""


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """One configured remote service. Its key is in the keyring, never here."""

    kind: str
    """The id of the provider plugin that serves it: openai, anthropic, google, …"""
    base_url: str = ""
    models: tuple[str, ...] = ()
    """Models the user added by hand."""
    options: dict[str, str] = {}


class Plugins(msgspec.Struct, frozen=True, kw_only=True):
    disabled: Annotated[tuple[str, ...], Meta(description="Plugins that are not loaded.")] = ()
    options: Annotated[dict[str, dict[str, Any]], Meta(description="Each plugin's own settings.")] = {}


class Backups(msgspec.Struct, frozen=True, kw_only=True):
    every_days: Annotated[int, Meta(ge=0, le=365, description="Days between automatic backups, 0 for none.")] = 7
    folder: Annotated[str, Meta(description="Where automatic backups go, empty for the program's own folder.")] = ""
    keep: Annotated[int, Meta(ge=1, le=100, description="Automatic backups that are kept.")] = 4


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    appearance: Appearance = Appearance()
    engine: Engine = Engine()
    network: Network = Network()
    folders: Folders = Folders()
    providers: dict[str, Provider] = {}
    plugins: Plugins = Plugins()
    backups: Backups = Backups()
    default_model: str = "starter"
    shortcuts: dict[str, str] = {}
    """Action id -> key sequence, where it differs from the default."""


RENAMED_ACTIONS = {"models.search": "models.discover"}
"""Earlier id -> id of actions for which users may have keys of their own."""


def json_schema() -> dict[str, Any]:
    """JSON Schema of the settings file."""
    return msgspec.json.schema(Settings)


class SettingsFile:
    """Loads and saves one settings file; thread-safe. A damaged file is set aside, never overwritten."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem = ""
        """What was wrong with the file at loading, for the user; empty if nothing."""
        self._lock = threading.Lock()
        self._listeners: list[Callable[[Settings], None]] = []
        self._raw: dict[str, Any] = {}
        self._value = self._load()

    @property
    def value(self) -> Settings:
        return self._value

    def subscribe(self, listener: Callable[[Settings], None]) -> Callable[[], None]:
        """Call `listener` after each change, in the thread that made it. Returns a function that ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def save(self, value: Settings) -> None:
        """Write atomically, then tell the listeners. Raises OSError where the folder can't be written."""
        with self._lock:
            merged = _merge(self._raw, msgspec.to_builtins(value), msgspec.to_builtins(self._value))
            _write_atomically(self.path, json.dumps(merged, indent=2, ensure_ascii=False).encode())
            self._raw, self._value = merged, value
        for listener in list(self._listeners):
            listener(value)

    def _load(self) -> Settings:
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return Settings()
        except OSError as error:
            self.problem = f"The settings file {self.path} can't be read: {error.strerror}. Defaults are used."
            return Settings()
        try:
            raw = json.loads(data)
            if not isinstance(raw, dict):
                raise ValueError("it holds no settings")
        except ValueError as error:
            aside = self._keep_aside()
            self.problem = f"The settings file was damaged ({error}). It was kept as {aside}; defaults are used."
            return Settings()
        _rename_actions(raw)
        value: Settings
        value, unusable = _readable(raw, Settings)
        if unusable:
            aside = self._keep_aside()
            self.problem = (
                f"The settings file was damaged, or a newer version wrote it: {', '.join(unusable)} could not be read, "
                f"so defaults are used for that. The file was kept as {aside}."
            )
        self._raw = raw
        return value

    def _keep_aside(self) -> str:
        """Move a file that can't be read as it is out of the way. Returns its new name."""
        aside = self.path.with_suffix(".damaged.json")
        with contextlib.suppress(OSError):
            self.path.replace(aside)
        return aside.name


def _rename_actions(raw: dict[str, Any]) -> None:
    """Keys the user gave an action stay its own when its id changes."""
    shortcuts = raw.get("shortcuts")
    if isinstance(shortcuts, dict):
        for old, new in RENAMED_ACTIONS.items():
            if old in shortcuts:
                shortcuts.setdefault(new, shortcuts.pop(old))


def _readable(raw: dict[str, Any], kind: type[Any], where: str = "") -> tuple[Any, list[str]]:
    """What of `raw` can be read as a struct of this kind, and the dotted names of what can't, which is taken out."""
    values: dict[str, Any] = {}
    unusable: list[str] = []
    for field in msgspec.structs.fields(kind):
        if field.encode_name not in raw:
            continue
        value, name = raw[field.encode_name], f"{where}{field.encode_name}"
        try:
            values[field.name] = msgspec.convert(value, field.type)
        except msgspec.ValidationError:
            inner_kind = get_args(field.type)[0] if get_origin(field.type) is Annotated else field.type
            if isinstance(inner_kind, type) and issubclass(inner_kind, msgspec.Struct) and isinstance(value, dict):
                values[field.name], inner = _readable(value, inner_kind, f"{name}.")
                unusable += inner
            else:
                unusable.append(name)
                del raw[field.encode_name]
    return kind(**values), unusable


def _merge(raw: dict[str, Any], new: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """`new`, plus keys of `raw` that this version does not know (they are in neither `new` nor `known`)."""
    merged = dict(new)
    for key, value in raw.items():
        if key not in new and key not in known:
            merged[key] = value
        elif isinstance(value, dict) and isinstance(new.get(key), dict) and isinstance(known.get(key), dict):
            merged[key] = _merge(value, new[key], known[key])
    return merged


def _write_atomically(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
