"""Every load and every run of a real model teaches the predictions, whoever asked for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.child import tiny_models
from workbench.core.cancel import CancelToken
from workbench.core.gguf import read_header
from workbench.core.messages import Message, TextPart
from workbench.core.paths import Paths
from workbench.core.requests import ChatRequest, LoadOptions, Sampling
from workbench.core.settings import Engine, Settings, SettingsFile
from workbench.engine.local_model import LocalModel
from workbench.plugins import PluginManager
from workbench.services.catalog import ModelCatalog
from workbench.services.experience import Experience
from workbench.services.fit import Machine, judge, kind_of
from workbench.services.keys import Keys
from workbench.services.model_shape import ModelShape


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[ModelCatalog]:
    paths = Paths.of_user()
    settings = SettingsFile(paths.settings)
    settings.save(Settings(engine=Engine(load=LoadOptions(n_ctx=512))))
    catalog = ModelCatalog(PluginManager(folders=[]), settings, paths, Keys(paths))
    yield catalog
    catalog.close()


@pytest.fixture
def model(catalog: ModelCatalog, tmp_path: Path) -> LocalModel:
    made = catalog.get(str(tiny_models.llama(tmp_path / "tiny.gguf")))
    assert isinstance(made, LocalModel)
    return made


def ask(model: LocalModel, tokens: int, load: LoadOptions = LoadOptions()) -> None:  # noqa: B008 - frozen
    request = ChatRequest(
        messages=(Message(role="user", parts=(TextPart(text="the cat in a cat"),)),),
        sampling=Sampling(max_tokens=tokens, temperature=0.0, seed=1),
        load=load,
    )
    for _ in model.stream(request, CancelToken()):
        pass


def learned(catalog: ModelCatalog) -> Experience:
    """What a later start of the program knows."""
    catalog.learner.close()
    return Experience(Paths.of_user().data / "machine.json")


def test_a_run_teaches_memory_and_speed(catalog: ModelCatalog, model: LocalModel) -> None:
    ask(model, 40)
    known, shape = learned(catalog), ModelShape.of([read_header(model.path)])
    kind = kind_of(shape)
    assert (known.observations("memory", kind), known.observations("speed", kind)) == (1, 1)
    loaded = model.loaded
    assert loaded is not None
    options = LoadOptions(n_ctx=512, n_parallel=loaded.n_parallel)
    once = judge(shape, Machine.here(), options, experience=known).ram_bytes
    ask(model, 40)
    twice = judge(shape, Machine.here(), options, experience=learned(catalog)).ram_bytes
    status = model.status
    assert status is not None
    assert abs(twice / status.memory_bytes - 1) < 0.03, "what was measured is what is predicted"
    assert abs(twice / status.memory_bytes - 1) <= abs(once / status.memory_bytes - 1) + 0.01


def test_a_load_teaches_memory(catalog: ModelCatalog, model: LocalModel) -> None:
    for _ in model.load(CancelToken()):
        pass
    known, kind = learned(catalog), kind_of(ModelShape.of([read_header(model.path)]))
    assert (known.observations("memory", kind), known.observations("speed", kind)) == (1, 0)


def test_short_answers_and_chosen_threads_teach_no_speed(catalog: ModelCatalog, model: LocalModel) -> None:
    ask(model, 8)
    ask(model, 40, LoadOptions(n_threads=1))
    known, kind = learned(catalog), kind_of(ModelShape.of([read_header(model.path)]))
    assert known.observations("speed", kind) == 0
    assert known.observations("memory", kind) == 2, "options of the request count, too"


def test_a_file_that_went_away_teaches_nothing(catalog: ModelCatalog, model: LocalModel) -> None:
    for _ in model.load(CancelToken()):
        pass
    catalog.learner.close()
    model.path.unlink()
    ask(model, 30)
    assert learned(catalog).observations("memory", kind_of(ModelShape(
        architecture="llama", context_length=0, layer_bytes=(), input_bytes=0, output_bytes=0, tied=True
    ))) == 0  # fmt: skip
