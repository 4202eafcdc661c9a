"""Where API keys live: the system keyring, an environment variable, or, where there is no keyring, a private file."""

from __future__ import annotations

import contextlib
import enum
import json
import logging
import os
import stat
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.core.errors import WorkbenchError
from workbench.core.paths import Paths
from workbench.core.redact import register_secret

SERVICE = "model-workbench"
HUB_TOKEN, HUB_VARIABLE = "huggingface", "HF_TOKEN"
"""The name under which the Hugging Face access token is kept, and the variable that may hold it."""
_log = logging.getLogger(__name__)
_PLAIN_BACKENDS = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt.file")
"""Backends that keep nothing, or keep it readable: our own file with its warning is more honest."""


class KeyPlace(enum.StrEnum):
    KEYRING = "keyring"
    ENVIRONMENT = "environment"
    FILE = "file"


class Keys:
    """Reads and writes keys by provider name. Thread-safe; a keyring may ask the user, so not for the UI thread."""

    def __init__(self, paths: Paths) -> None:
        self._file = paths.keys_file
        self._names_file = paths.keys_file.with_name("keyring.json")
        self._lock = threading.RLock()
        self._backend: Any = None
        self._looked_for_backend = False
        self._from_keyring: dict[str, str | None] = {}
        self._problem = ""

    @property
    def warning(self) -> str:
        """What the user should know about how their keys are kept; empty if all is well."""
        with self._lock:
            if self._problem:
                return self._problem
            if self._file.exists():
                return f"Keys are stored unencrypted in {self._file}, readable by your user account only."
            return ""

    @property
    def keyring_name(self) -> str:
        """The keyring in use; empty where there is none."""
        backend = self._keyring()
        return "" if backend is None else str(getattr(backend, "name", type(backend).__name__))

    def get(self, provider: str, variable: str = "") -> str | None:
        """The key, from the first place that has one: keyring, environment `variable`, file."""
        return self._find(provider, variable)[0]

    def where(self, provider: str, variable: str = "") -> KeyPlace | None:
        return self._find(provider, variable)[1]

    def kept_names(self) -> frozenset[str]:
        """Names of all whose keys were put into the keyring or the file: a keyring can't be asked what it holds."""
        with self._lock:
            return self._read_names() | self._read_file().keys()

    def set(self, provider: str, secret: str) -> KeyPlace:
        """Keep the key, in the keyring if there is one. Raises WorkbenchError where neither place can be written."""
        secret = secret.strip()
        register_secret(secret)
        with self._lock:
            if self._set_in_keyring(provider, secret):
                self._change_names(provider, present=True)
                self._change_file(provider, None)
                return KeyPlace.KEYRING
            self._change_file(provider, secret)
            return KeyPlace.FILE

    def delete(self, provider: str) -> None:
        """Forget the key in the keyring and the file; an environment variable stays."""
        with self._lock:
            backend = self._keyring()
            if backend is not None and self._read_keyring(provider) is not None:
                try:
                    backend.delete_password(SERVICE, provider)
                except Exception as error:
                    raise WorkbenchError(f"The keyring did not delete the key of {provider}: {error}.") from error
            elif backend is not None and provider in self._read_names() and provider not in self._from_keyring:
                raise WorkbenchError(
                    f"The keyring could not be read, so the key of {provider} is still in it.",
                    hint="Unlock it and try again.",
                )
            self._from_keyring.pop(provider, None)
            self._change_names(provider, present=False)
            self._change_file(provider, None)

    def _find(self, provider: str, variable: str) -> tuple[str | None, KeyPlace | None]:
        with self._lock:
            places: tuple[tuple[Callable[[], str | None], KeyPlace], ...] = (
                (lambda: self._read_keyring(provider), KeyPlace.KEYRING),
                (lambda: os.environ.get(variable) if variable else None, KeyPlace.ENVIRONMENT),
                (lambda: self._read_file().get(provider), KeyPlace.FILE),
            )
            for read, place in places:
                secret = (read() or "").strip()
                if secret:
                    register_secret(secret)
                    return secret, place
            return None, None

    def _keyring(self) -> Any:
        """The system's keyring backend, or None. Found once."""
        with self._lock:
            if not self._looked_for_backend:
                self._looked_for_backend = True
                self._backend = self._find_backend()
            return self._backend

    def _find_backend(self) -> Any:
        try:
            import keyring  # noqa: PLC0415 - heavy: looks through every installed backend

            backend = keyring.get_keyring()
        except Exception as error:  # a broken backend must not keep the program from using the other places
            _log.warning("No keyring: %s", error)
            return None
        if type(backend).__module__.startswith(_PLAIN_BACKENDS):
            return None
        return backend

    def _read_keyring(self, provider: str) -> str | None:
        backend = self._keyring()
        if backend is None:
            return None
        if provider not in self._from_keyring:
            try:
                self._from_keyring[provider] = backend.get_password(SERVICE, provider)
            except Exception as error:  # locked, no session bus, backend's own errors
                self._problem = f"The system keyring could not be read ({error}). Unlock it and try again."
                _log.warning("Reading the keyring failed: %s", error)
                return None
        return self._from_keyring[provider]

    def _set_in_keyring(self, provider: str, secret: str) -> bool:
        backend = self._keyring()
        if backend is None:
            return False
        try:
            backend.set_password(SERVICE, provider, secret)
        except Exception as error:  # locked, refused by the user, no session bus, backend's own errors
            self._problem = (
                f"The system keyring refused the key ({error}), so it is stored unencrypted in {self._file}, "
                "readable by your user account only."
            )
            _log.warning("Writing to the keyring failed: %s", error)
            return False
        self._from_keyring[provider] = secret
        self._problem = ""
        return True

    def _read_names(self) -> frozenset[str]:
        names: object = None
        with contextlib.suppress(OSError, ValueError):
            names = json.loads(self._names_file.read_bytes())
        return frozenset(name for name in names if isinstance(name, str)) if isinstance(names, list) else frozenset()

    def _change_names(self, provider: str, *, present: bool) -> None:
        names = self._read_names()
        changed = names | {provider} if present else names - {provider}
        if changed == names:
            return
        with contextlib.suppress(OSError):  # worth no message: only "delete everything" needs them
            if changed:
                self._names_file.parent.mkdir(parents=True, exist_ok=True)
                self._names_file.write_text(json.dumps(sorted(changed)), encoding="utf-8")
            else:
                self._names_file.unlink(missing_ok=True)

    def _read_file(self) -> dict[str, str]:
        try:
            self._make_private()
            keys = json.loads(self._file.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            self._problem = f"The keys file {self._file} can't be read: {error}."
            return {}
        if not isinstance(keys, dict):
            self._problem = f"The keys file {self._file} does not hold keys by provider name."
            return {}
        return {name: key for name, key in keys.items() if isinstance(key, str)}

    def _make_private(self) -> None:
        mode = stat.S_IMODE(self._file.stat().st_mode)
        if os.name == "posix" and mode & 0o077:
            _log.warning("The keys file was readable by others; its mode is now 0600.")
            self._file.chmod(0o600)

    def _change_file(self, provider: str, secret: str | None) -> None:
        keys = self._read_file()
        if keys.get(provider) == secret:
            return
        if secret is None:
            del keys[provider]
        else:
            keys[provider] = secret
        try:
            self._write_file(keys)
        except OSError as error:
            raise WorkbenchError(
                f"The keys file {self._file} can't be written: {error.strerror}.",
                hint="Set the provider's environment variable instead.",
            ) from error

    def _write_file(self, keys: dict[str, str]) -> None:
        if not keys:
            self._file.unlink(missing_ok=True)
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._file.parent, prefix=".keys.")  # mkstemp: mode 0600 from the start
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(keys, file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._file)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
