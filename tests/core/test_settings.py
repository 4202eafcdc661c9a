"""Settings survive anything: a damaged file, a newer version's keys, a read-only folder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from workbench.core.requests import LoadOptions
from workbench.core.settings import (
    Appearance,
    Engine,
    Folders,
    Network,
    Plugins,
    Provider,
    Settings,
    SettingsFile,
    json_schema,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config" / "settings.json"


def test_a_missing_file_means_defaults(path: Path) -> None:
    file = SettingsFile(path)
    assert file.value == Settings()
    assert file.problem == ""
    assert not path.exists()


def test_saved_settings_come_back(path: Path) -> None:
    value = Settings(
        appearance=Appearance(theme="dark", text_scale=150),
        engine=Engine(per_model={"starter": LoadOptions(n_ctx=512)}),
        network=Network(offline=True),
        folders=Folders(model_folders=("/models",)),
        providers={"mine": Provider(kind="openai", base_url="http://localhost:1")},
        plugins=Plugins(disabled=("x",)),
    )
    SettingsFile(path).save(value)
    assert SettingsFile(path).value == value
    assert list(path.parent.iterdir()) == [path]


def test_unknown_keys_of_a_newer_version_survive(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(json.dumps({"appearance": {"theme": "dark", "glow": 7}, "telepathy": {"on": True}}))
    file = SettingsFile(path)
    file.save(msgspec.structs.replace(file.value, appearance=Appearance(theme="light")))
    saved = json.loads(path.read_text())
    assert saved["appearance"]["glow"] == 7
    assert saved["appearance"]["theme"] == "light"
    assert saved["telepathy"] == {"on": True}


def test_removed_entries_do_not_come_back(path: Path) -> None:
    file = SettingsFile(path)
    file.save(Settings(providers={"a": Provider(kind="openai"), "b": Provider(kind="openai")}))
    file.save(Settings(providers={"b": Provider(kind="openai")}))
    assert list(SettingsFile(path).value.providers) == ["b"]


@pytest.mark.parametrize("content", ["{", "[]", '{"appearance": {"text_scale": 9000}}', "\x00\xff", ""])
def test_a_damaged_file_is_set_aside_and_said(path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_text(content, encoding="latin-1")
    file = SettingsFile(path)
    assert file.value == Settings()
    assert "damaged" in file.problem
    assert path.with_suffix(".damaged.json").read_text(encoding="latin-1") == content
    file.save(Settings(default_model="x"))
    assert SettingsFile(path).value.default_model == "x"


def test_of_a_file_that_is_damaged_in_parts_the_rest_is_used(path: Path) -> None:
    path.parent.mkdir()
    content = {
        "appearance": {"theme": "sepia", "text_scale": 140},  # a theme that only a newer version has
        "engine": {"load": {"n_ctx": "many"}, "keep_loaded": 3},
        "shortcuts": "all of them",
        "default_model": "local:x",
        "telepathy": {"on": True},
    }
    path.write_text(json.dumps(content))
    file = SettingsFile(path)
    assert (file.value.appearance.theme, file.value.appearance.text_scale) == ("system", 140)
    assert (file.value.engine.keep_loaded, file.value.engine.load.n_ctx) == (3, Settings().engine.load.n_ctx)
    assert file.value.default_model == "local:x"
    for name in ("appearance.theme", "engine.load", "shortcuts"):
        assert name in file.problem
    assert json.loads(path.with_suffix(".damaged.json").read_text()) == content
    file.save(file.value)
    assert SettingsFile(path).problem == ""
    assert json.loads(path.read_text())["telepathy"] == {"on": True}


def test_keys_of_an_action_that_has_another_id_now_stay_its_own(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(json.dumps({"shortcuts": {"models.search": "Ctrl+J", "quit": "Ctrl+W"}}))
    file = SettingsFile(path)
    assert file.value.shortcuts == {"models.discover": "Ctrl+J", "quit": "Ctrl+W"}
    file.save(msgspec.structs.replace(file.value, shortcuts={}))
    assert SettingsFile(path).value.shortcuts == {}
    path.write_text(json.dumps({"shortcuts": {"models.search": "Ctrl+J", "models.discover": "Ctrl+H"}}))
    assert SettingsFile(path).value.shortcuts == {"models.discover": "Ctrl+H"}


def test_listeners_hear_of_changes_until_they_leave(path: Path) -> None:
    file = SettingsFile(path)
    heard: list[str] = []
    leave = file.subscribe(lambda value: heard.append(value.default_model))
    file.save(Settings(default_model="one"))
    leave()
    file.save(Settings(default_model="two"))
    assert heard == ["one"]


@pytest.mark.skipif(os.name == "nt", reason="folders can't be made read-only this way")
def test_a_failed_save_leaves_the_old_file_and_the_old_value(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = SettingsFile(path)
    file.save(Settings(default_model="old"))

    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        file.save(Settings(default_model="new"))
    assert file.value.default_model == "old"
    assert json.loads(path.read_text())["default_model"] == "old"
    assert list(path.parent.iterdir()) == [path]


def test_every_setting_is_described() -> None:
    """The schema is what the settings page and the documentation show; nested groups describe their own fields."""
    definitions = json_schema()["$defs"]
    undescribed = [
        f"{group}.{name}"
        for group in ("Appearance", "Engine", "Network", "Folders", "Plugins", "Backups")
        for name, field in definitions[group]["properties"].items()
        if "description" not in str(field)
    ]
    assert undescribed == []


def test_the_schema_accepts_the_defaults() -> None:
    import jsonschema

    jsonschema.validate(json.loads(msgspec.json.encode(Settings())), json_schema())
