"""Keys: keyring, then environment, then a file only the user can read."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator

import keyring
import keyring.backend
import keyring.errors
import pytest

from workbench.core.errors import WorkbenchError
from workbench.core.paths import Paths
from workbench.core.redact import redact
from workbench.services.keys import KeyPlace, Keys

KEY = "test-key-0123456789abcdef"


class MemoryKeyring(keyring.backend.KeyringBackend):
    priority = 1  # type: ignore[assignment]
    name = "memory"

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        self._check()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._check()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._check()
        del self.kept[service, username]

    def _check(self) -> None:
        if self.locked:
            raise keyring.errors.KeyringLocked("locked")


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryKeyring]:
    before = keyring.get_keyring()
    backend = MemoryKeyring()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


@pytest.fixture
def paths() -> Paths:
    return Paths.of_user()


def test_with_a_keyring_the_key_is_there_and_nowhere_else(memory: MemoryKeyring, paths: Paths) -> None:
    keys = Keys(paths)
    assert keys.set("openai", f" {KEY}\n") is KeyPlace.KEYRING
    assert keys.get("openai") == KEY
    assert keys.where("openai") is KeyPlace.KEYRING
    assert keys.keyring_name == "memory"
    assert keys.warning == ""
    assert not paths.keys_file.exists()
    assert Keys(paths).get("openai") == KEY
    keys.delete("openai")
    assert keys.get("openai") is None
    assert memory.kept == {}


def test_without_a_keyring_a_private_file_with_a_warning(paths: Paths) -> None:
    keys = Keys(paths)
    assert keys.warning == ""
    assert keys.set("openai", KEY) is KeyPlace.FILE
    assert keys.where("openai") is KeyPlace.FILE
    assert Keys(paths).get("openai") == KEY
    assert str(paths.keys_file) in keys.warning
    assert "unencrypted" in keys.warning
    if os.name == "posix":
        assert stat.S_IMODE(paths.keys_file.stat().st_mode) == 0o600
    keys.delete("openai")
    assert not paths.keys_file.exists()
    assert keys.warning == ""


def test_a_file_that_others_can_read_is_made_private(paths: Paths) -> None:
    paths.config.mkdir(parents=True)
    paths.keys_file.write_text(json.dumps({"openai": KEY}))
    paths.keys_file.chmod(0o644)
    assert Keys(paths).get("openai") == KEY
    if os.name == "posix":
        assert stat.S_IMODE(paths.keys_file.stat().st_mode) == 0o600


def test_order_keyring_environment_file(memory: MemoryKeyring, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    paths.config.mkdir(parents=True)
    paths.keys_file.write_text(json.dumps({"openai": "from-the-file"}))
    keys = Keys(paths)
    assert keys.get("openai", "OPENAI_API_KEY") == "from-the-file"
    monkeypatch.setenv("OPENAI_API_KEY", "from-the-environment")
    assert keys.get("openai", "OPENAI_API_KEY") == "from-the-environment"
    assert keys.where("openai", "OPENAI_API_KEY") is KeyPlace.ENVIRONMENT
    keys.set("openai", KEY)
    assert keys.get("openai", "OPENAI_API_KEY") == KEY
    assert not paths.keys_file.exists(), "the file's copy must go when the keyring has the key"


def test_a_locked_keyring_is_said_and_asked_again(memory: MemoryKeyring, paths: Paths) -> None:
    memory.kept["model-workbench", "openai"] = KEY
    memory.locked = True
    keys = Keys(paths)
    assert keys.get("openai") is None
    assert "Unlock" in keys.warning
    assert keys.set("anthropic", KEY) is KeyPlace.FILE
    assert "refused" in keys.warning
    memory.locked = False
    assert keys.get("openai") == KEY


def test_a_damaged_file_is_said(paths: Paths) -> None:
    paths.config.mkdir(parents=True)
    paths.keys_file.write_text("{")
    keys = Keys(paths)
    assert keys.get("openai") is None
    assert "can't be read" in keys.warning


def test_what_cannot_be_written_is_an_error_with_a_way_out(paths: Paths) -> None:
    paths.config.parent.mkdir(parents=True, exist_ok=True)
    paths.config.write_text("a file where the folder should be")
    with pytest.raises(WorkbenchError, match="environment variable"):
        Keys(paths).set("openai", KEY)


def test_every_key_that_was_read_is_redacted_from_then_on(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "not-shaped-like-a-key-at-all")
    Keys(paths).get("some", "SOME_API_KEY")
    assert redact("x not-shaped-like-a-key-at-all x") == "x [redacted] x"


def test_no_key_means_none(paths: Paths) -> None:
    keys = Keys(paths)
    assert keys.get("nobody", "NOBODY_KEY") is None
    assert keys.where("nobody", "NOBODY_KEY") is None
    keys.delete("nobody")
