"""Everything that is bundled is listed with its licence, in full."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from workbench.services.licences import Component, as_text, components

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def listed() -> list[Component]:
    return components()


def test_every_component_has_its_licence_in_full(listed: list[Component]) -> None:
    assert [entry.name for entry in listed if len(entry.text) < 200 or not entry.licence] == []
    assert [entry.name for entry in listed if "see its text" in entry.licence] == []


def test_every_dependency_is_listed(listed: list[Component]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {re.split(r"[<>=!;\[ ]", line, maxsplit=1)[0].lower() for line in project["dependencies"]}
    assert wanted <= {re.sub(r"[-_.]+", "-", entry.name).lower() for entry in listed}
    assert "pytest" not in {entry.name.lower() for entry in listed}  # a developer's tool, not bundled


def test_what_is_no_package_is_listed_too(listed: list[Component]) -> None:
    licences = {entry.name: entry.licence for entry in listed}
    assert licences["SmolLM2-135M-Instruct (starter model)"] == "Apache-2.0"
    assert licences["llama.cpp"] == "MIT" and "ggml authors" in next(e.text for e in listed if e.name == "llama.cpp")
    assert licences["Inter"] == licences["JetBrains Mono"] == "OFL-1.1"
    assert {"Model Workbench", "Lucide icons", "Python", "SQLite", "OpenSSL", "Example test sets"} <= set(licences)


def test_the_lesser_licence_comes_with_the_general_one(listed: list[Component]) -> None:
    for entry in listed:
        if entry.name.lower().startswith(("pyside6", "shiboken6")):
            assert "GNU LESSER GENERAL PUBLIC LICENSE" in entry.text
            assert "GNU GENERAL PUBLIC LICENSE" in entry.text


def test_as_text_every_licence_is_there(listed: list[Component]) -> None:
    text = as_text(listed)
    assert all(entry.text in text for entry in listed)
