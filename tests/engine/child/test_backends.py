"""Which files llama.cpp's backends are loaded from."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

from workbench.engine.child.llama import load_backends


class Load:
    """Stands for llama.cpp's function."""

    def __init__(self) -> None:
        self.folders: list[bytes] = []

    def __call__(self, folder: bytes) -> None:
        self.folders.append(folder)


def test_the_folder_with_a_backend_for_each_processor_is_named(tmp_path: Path) -> None:
    for kind in ("x64", "haswell"):
        (tmp_path / f"libggml-cpu-{kind}.so").touch()
    load = Load()
    assert load_backends(tmp_path, SimpleNamespace(ggml_backend_load_all_from_path=load))
    assert load.folders == [os.fsencode(tmp_path)]


def test_a_backend_that_is_linked_in_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "libggml-cpu.so").touch()
    load = Load()
    assert not load_backends(tmp_path, SimpleNamespace(ggml_backend_load_all_from_path=load))
    assert load.folders == []
