"""The list of models that comes with the program."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from workbench.core.errors import BadInput
from workbench.core.paths import bundled
from workbench.hub.remote_gguf import knows_architecture
from workbench.hub.repos import SearchQuery
from workbench.services.catalogue import Catalogue


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue.load(bundled("resources") / "catalogue.json")


def test_is_dated_and_complete(catalogue: Catalogue) -> None:
    assert date(2026, 1, 1) <= date.fromisoformat(catalogue.as_of)
    repos = [entry.repo for entry in catalogue.models]
    assert len(set(repos)) == len(repos) >= 30
    for entry in catalogue.models:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", entry.repo) and entry.name
        assert entry.parameters > 10**7 and entry.good_for
        assert entry.context_length is None or 512 <= entry.context_length <= 2**20


def test_every_architecture_can_be_loaded(catalogue: Catalogue) -> None:
    architectures = {entry.architecture for entry in catalogue.models}
    assert [name for name in sorted(architectures) if not knows_architecture(name)] == []


def test_search(catalogue: Catalogue) -> None:
    coders = catalogue.search(SearchQuery(text="code", max_parameters=8 * 10**9))
    sizes = [repo.parameters or 0 for repo in coders]
    assert len(coders) >= 2 and sizes == sorted(sizes) and sizes[-1] <= 8 * 10**9
    assert all(repo.task == "image-text-to-text" for repo in catalogue.search(SearchQuery(task="image-text-to-text")))
    assert catalogue.search(SearchQuery(text="no such model")) == []


def test_a_damaged_catalogue_is_said(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text("[]")
    with pytest.raises(BadInput):
        Catalogue.load(tmp_path / "c.json")
