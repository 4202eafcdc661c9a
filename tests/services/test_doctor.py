"""The doctor sees what is wrong, says it in words, and is never itself what breaks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from workbench.core.paths import Paths
from workbench.engine.protocol import PROTOCOL_VERSION, Hello, encode
from workbench.plugins import PluginManager
from workbench.services import doctor
from workbench.services.doctor import Engine, check_database, examine, gpu_advice, probe_engine
from workbench.services.keys import Keys
from workbench.store import Store


def child(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def says(hello: Hello) -> str:
    return f"print({encode(hello).decode()!r}, flush=True); input()"


def test_the_real_engine_greets() -> None:
    engine = probe_engine()
    assert engine.error == ""
    assert engine.llama_cpp_build
    assert any(str(device["type"]).lower() == "cpu" for device in engine.devices)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("import sys; sys.exit('ImportError: no llama_cpp')", "ended with code 1: ImportError: no llama_cpp"),
        ("print('garbage')", "ended with code 0"),
        (says(Hello(version=PROTOCOL_VERSION + 1)), "another version"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "illegal instruction"),
    ],
)
def test_an_engine_that_fails_is_explained(code: str, error: str) -> None:
    assert error in probe_engine(child(code)).error


def test_an_engine_that_is_silent_is_given_up() -> None:
    assert "said nothing" in probe_engine(child("import time; time.sleep(60)"), timeout_s=0.2).error


def test_an_engine_that_is_not_there_is_explained() -> None:
    assert "No such file" in probe_engine(["/does/not/exist"]).error


def test_a_used_gpu_is_named_and_an_unused_one_gets_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    used = Engine(devices=[{"name": "CUDA0", "description": "RTX 4090", "type": "gpu"}])
    assert "RTX 4090" in gpu_advice(used)
    monkeypatch.setattr(doctor.sys, "platform", "linux")
    monkeypatch.setattr(doctor.shutil, "which", lambda name: "/bin/x" if name == "nvidia-smi" else None)
    advice = gpu_advice(Engine(devices=[{"name": "CPU", "type": "cpu"}]))
    assert "CUDA" in advice
    assert "-DGGML_CUDA=on" in advice


def test_a_database_is_not_made_by_looking() -> None:
    paths = Paths.of_user()
    assert check_database(paths).exists is False
    assert not paths.database.exists()


def test_a_good_and_a_damaged_database() -> None:
    paths = Paths.of_user()
    paths.create()
    with Store.open(paths.database) as store:
        store.create_session(title="one")
    good = check_database(paths)
    assert (good.exists, good.problems, good.sessions) == (True, [], 1)
    paths.database.write_bytes(b"no database at all" * 500)
    assert check_database(paths).problems


def test_everything_that_is_wrong_is_one_sentence_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = Paths.of_user()
    paths.plugins.mkdir(parents=True)
    (paths.plugins / "broken.py").write_text("import nothing_like_it")
    plugins = PluginManager(folders=[paths.plugins], entry_points=False)
    plugins.load()
    keys = Keys(paths)
    keys.set("openai", "test-key-0123456789abcdef")
    monkeypatch.setattr(doctor, "probe_engine", lambda: Engine(error="it ended with code 1."))
    report = examine(paths, plugins, keys, settings_problem="The settings file was damaged.")
    text = "\n".join(report.problems)
    for part in ("engine", "broken", "nothing_like_it", "settings file", "unencrypted"):
        assert part in text
    assert "0123456789abcdef" not in repr(report)
    assert all("\n" not in problem for problem in report.problems)
