"""Ids, discovery, and how many models stay in memory."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from tests.fakes.models import FakeModels, fake_command, fake_local_model, write_model_file
from workbench.core.cancel import CancelToken
from workbench.core.errors import ProviderError, UnknownModel
from workbench.core.events import Finished, TextDelta
from workbench.core.messages import Message
from workbench.core.models import ModelInfo
from workbench.core.paths import Paths
from workbench.core.requests import ChatRequest, LoadOptions
from workbench.core.settings import Engine, Folders, Provider, SettingsFile
from workbench.engine import client
from workbench.engine.local_model import LocalModel
from workbench.hookspecs import ProviderContext, hookimpl
from workbench.plugins import PluginManager
from workbench.services.catalog import ModelCatalog
from workbench.services.keys import Keys

HI = ChatRequest(messages=(Message.of("user", "hi"),))


class FakeProvider:
    kind = "cloud"
    title = "Cloud"
    key_variable = "CLOUD_API_KEY"
    presets = {"cloud": Provider(kind="cloud", base_url="https://cloud.invalid")}  # noqa: RUF012

    def models(self, context: ProviderContext, cancel: CancelToken) -> list[ModelInfo]:
        assert context.key() == "secret"
        return [ModelInfo(id=f"{context.name}:{name}", name=name, provider=context.name) for name in ("big", "small")]

    def model(self, context: ProviderContext, model_name: str) -> FakeRemote:
        return FakeRemote(
            ModelInfo(id=f"{context.name}:{model_name}", name=model_name, provider=context.name, remote=True)
        )


class FakeRemote:
    def __init__(self, info: ModelInfo) -> None:
        self.info = info

    def stream(self, request: ChatRequest, cancel: CancelToken) -> Iterator[TextDelta | Finished]:
        yield Finished(reason="stop")


class FakeServer:
    """A kind of server on this machine: no key. It answers at port 1, and nothing does at port 2."""

    kind = "server"
    title = "Server"
    key_variable = ""
    presets = {"server": Provider(kind="server", base_url="http://127.0.0.1:1/v1")}  # noqa: RUF012

    def models(self, context: ProviderContext, cancel: CancelToken) -> list[ModelInfo]:
        assert context.config.options["read_timeout_s"] == "3"
        if ":1/" not in context.config.base_url:
            raise ProviderError("Nothing answers.")
        return [ModelInfo(id=f"{context.name}:qwen", name="qwen", provider=context.name)]

    model = FakeProvider.model


class ProviderAndPrices:
    @hookimpl
    def workbench_providers(self) -> list[FakeProvider | FakeServer]:
        return [FakeProvider(), FakeServer()]

    @hookimpl
    def workbench_prices(self) -> dict[str, dict[str, float]]:
        return {"cloud:priced": {"input": 1.0}, "other:model": {"input": 1.0}}


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Paths:
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    paths = Paths.of_user()
    paths.create()
    return paths


@pytest.fixture
def settings(paths: Paths) -> SettingsFile:
    return SettingsFile(paths.settings)


@pytest.fixture
def plugins() -> PluginManager:
    manager = PluginManager(folders=[], entry_points=False)
    manager.register(ProviderAndPrices(), "cloud")
    return manager


@pytest.fixture
def catalog(
    paths: Paths, settings: SettingsFile, plugins: PluginManager, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModelCatalog]:
    """Its local models are run by the scripted child."""
    monkeypatch.setattr(client, "default_command", lambda: fake_command(rate=300))
    made = ModelCatalog(plugins, settings, paths, Keys(paths))
    yield made
    made.close()


def ids(catalog: ModelCatalog) -> list[str]:
    return [info.id for info in catalog.models()]


def run(model: object) -> Finished:
    assert isinstance(model, LocalModel)
    last = list(model.stream(HI, CancelToken()))[-1]
    assert isinstance(last, Finished)
    return last


def change(settings: SettingsFile, **fields: object) -> None:
    settings.save(msgspec.structs.replace(settings.value, **fields))


class TestFinding:
    def test_the_starter_is_there_and_llama_cpp_is_not_imported_for_it(self, catalog: ModelCatalog) -> None:
        before = "llama_cpp" in sys.modules
        assert ids(catalog) == ["starter"]
        starter = catalog.get("starter")
        assert starter.info.quantization == "Q4_1"
        assert ("llama_cpp" in sys.modules) == before
        assert catalog.get("starter") is starter

    def test_local_files_of_all_places(
        self, catalog: ModelCatalog, paths: Paths, settings: SettingsFile, tmp_path: Path
    ) -> None:
        write_model_file(paths.models / "One.gguf")
        write_model_file(tmp_path / "extra" / "deep" / "Two.gguf")
        change(settings, folders=Folders(model_folders=(str(tmp_path / "extra"),)))
        hub = Path(os.environ["HF_HOME"]) / "hub" / "models--org--repo"
        blob = write_model_file(hub / "blobs" / "abc")
        pointer = hub / "snapshots" / "rev" / "Three-Q4_K_M.gguf"
        pointer.parent.mkdir(parents=True)
        pointer.symlink_to(blob)
        assert sorted(ids(catalog)) == ["local:One", "local:Three-Q4_K_M", "local:Two", "starter"]
        assert catalog.get("local:One").info.context_length == 4096
        assert catalog.get("three-q4_k_m").info.id == "local:Three-Q4_K_M"
        assert catalog.get("org/repo/Three-Q4_K_M").info.id == "local:Three-Q4_K_M"

    def test_two_files_of_one_name(self, catalog: ModelCatalog, paths: Paths) -> None:
        write_model_file(paths.models / "a" / "model.gguf", **{"llama.context_length": 1})
        write_model_file(paths.models / "b" / "model.gguf", **{"llama.context_length": 2})
        found = {info.id: info.context_length for info in catalog.models()}
        assert set(found) == {"starter", "local:model", "local:b/model"} or set(found) == {
            "starter",
            "local:model",
            "local:a/model",
        }
        for model_id, context in found.items():
            assert catalog.get(model_id).info.context_length == context

    def test_a_new_or_changed_file_is_seen(self, catalog: ModelCatalog, paths: Paths) -> None:
        path = write_model_file(paths.models / "One.gguf")
        assert "local:One" in ids(catalog)
        write_model_file(path, **{"llama.context_length": 77})
        os.utime(path, ns=(1, 1))
        assert {info.id: info.context_length for info in catalog.models()}["local:One"] == 77
        path.unlink()
        assert ids(catalog) == ["starter"]

    def test_split_files_are_one_model(self, catalog: ModelCatalog, paths: Paths) -> None:
        for number in (1, 2):
            write_model_file(paths.models / f"Big-0000{number}-of-00002.gguf")
        write_model_file(paths.models / "Half-00001-of-00002.gguf")
        [starter, big] = sorted(catalog.models(), key=lambda info: info.id == "local:Big")
        assert (starter.id, big.id, big.parameters) == ("starter", "local:Big", 256)
        assert big.size_bytes == 2 * (paths.models / "Big-00001-of-00002.gguf").stat().st_size

    def test_what_is_no_model_is_left_out_and_a_broken_one_told(self, catalog: ModelCatalog, paths: Paths) -> None:
        write_model_file(paths.models / "mmproj-x.gguf")
        write_model_file(paths.models / "lora.gguf", **{"general.type": "adapter"})
        write_model_file(paths.models / "vision.gguf", **{"general.architecture": "clip"})
        broken = write_model_file(paths.models / "broken.gguf")
        broken.write_bytes(broken.read_bytes()[:-100])
        assert ids(catalog) == ["starter"]
        assert list(catalog.problems) == [broken]
        assert "truncated" in catalog.problems[broken]

    def test_headers_are_not_read_again_after_a_restart(
        self, catalog: ModelCatalog, paths: Paths, settings: SettingsFile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_model_file(paths.models / "One.gguf")
        before = catalog.models()
        monkeypatch.setattr("workbench.services.header_cache.read_header", lambda path: pytest.fail(f"read {path}"))
        empty = PluginManager(folders=[], entry_points=False)
        assert ModelCatalog(empty, settings, paths, Keys(paths)).models() == [
            info for info in before if not info.id.startswith("cloud:")
        ]


class TestIds:
    def test_path_of_a_file(self, catalog: ModelCatalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = write_model_file(tmp_path / "some where" / "m.gguf")
        assert catalog.get(str(path)).info.path == str(path)
        monkeypatch.chdir(path.parent)
        assert catalog.get("m.gguf") is catalog.get(str(path))

    def test_unknown_ids_name_the_nearest(self, catalog: ModelCatalog, paths: Paths) -> None:
        write_model_file(paths.models / "Llama-3-8B-Q4.gguf")
        with pytest.raises(UnknownModel, match="Did you mean local:Llama-3-8B-Q4"):
            catalog.get("local:llama-3-8b")
        with pytest.raises(UnknownModel, match="There is no file"):
            catalog.get("/nowhere/m.gguf")
        for nonsense in ("", ":", "x" * 5_000, "a\0b", "local:", "nobody:x"):
            with pytest.raises(UnknownModel):
                catalog.get(nonsense)

    def test_models_of_plugins(self, catalog: ModelCatalog, plugins: PluginManager, tmp_path: Path) -> None:
        plugins.register(FakeModels(fake_local_model(tmp_path, "fake")), "fakes")
        assert "fake" in ids(catalog)
        assert run(catalog.get("fake")).reason == "stop"
        assert [model.info.id for model in catalog.loaded()] == ["fake"]

    def test_preset_provider_needs_no_configuration(self, catalog: ModelCatalog) -> None:
        assert catalog.get("cloud:anything").info == ModelInfo(
            id="cloud:anything", name="anything", provider="cloud", provider_title="Cloud", remote=True
        )
        assert "cloud:priced" not in ids(catalog), "nothing is listed without a key"

    def test_known_models_of_a_provider_with_a_key(
        self, catalog: ModelCatalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CLOUD_API_KEY", "secret")
        assert ids(catalog) == ["starter", "cloud:priced"]
        catalog.refresh("cloud", CancelToken())
        assert ids(catalog) == ["starter", "cloud:big", "cloud:small", "cloud:priced"]
        with pytest.raises(UnknownModel):
            catalog.refresh("nobody", CancelToken())

    def test_servers_on_this_machine_are_found_and_remembered(
        self, catalog: ModelCatalog, settings: SettingsFile
    ) -> None:
        far = Provider(kind="server", base_url="http://10.0.0.9:1/v1")
        dead = Provider(kind="server", base_url="http://localhost:2/v1")
        change(settings, providers={"far": far, "dead": dead})
        assert ids(catalog) == ["starter"], "nothing is asked before it is wanted"
        assert list(catalog.find_servers(CancelToken())) == ["server"]
        assert ids(catalog) == ["starter", "server:qwen"]
        assert catalog.models()[-1].provider_title == "Server"

    def test_prices_are_attached(self, catalog: ModelCatalog, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CLOUD_API_KEY", "secret")
        priced = catalog.get("cloud:priced")
        assert priced.info.prices is not None
        assert priced.info.prices.input == 1.0
        assert list(priced.stream(HI, CancelToken())) == [Finished(reason="stop")]
        assert catalog.models()[-1] == priced.info
        assert catalog.get("cloud:other").info.prices is None, "unknown is not free"

    def test_configured_provider(self, catalog: ModelCatalog, settings: SettingsFile) -> None:
        change(settings, providers={"mine": Provider(kind="cloud", models=("m1",)), "odd": Provider(kind="unknown")})
        assert ids(catalog) == ["starter", "mine:m1"]
        assert catalog.get("mine:m1").info.provider == "mine"


class TestMemory:
    @pytest.fixture
    def models(self, paths: Paths, catalog: ModelCatalog) -> Callable[[str], LocalModel]:
        for name in "abc":
            write_model_file(paths.models / f"{name}.gguf")

        def get(name: str) -> LocalModel:
            model = catalog.get(f"local:{name}")
            assert isinstance(model, LocalModel)
            return model

        return get

    def test_the_one_not_used_for_longest_is_unloaded(
        self, models: Callable[[str], LocalModel], catalog: ModelCatalog
    ) -> None:
        for name in "abac":
            assert run(models(name)).reason == "stop"
        assert [model.info.id for model in catalog.loaded()] == ["local:c", "local:a"]

    def test_never_one_that_is_answering(
        self, models: Callable[[str], LocalModel], catalog: ModelCatalog, settings: SettingsFile
    ) -> None:
        change(settings, engine=Engine(keep_loaded=1))
        stream = models("a").stream(HI, CancelToken())
        next(event for event in stream if isinstance(event, TextDelta))
        assert run(models("b")).reason == "stop"
        last = list(stream)[-1]
        assert isinstance(last, Finished)
        assert last.reason == "stop"
        assert len(catalog.loaded()) == 2
        run(models("c"))
        assert [model.info.id for model in catalog.loaded()] == ["local:c"]

    def test_many_at_once_all_answer(self, models: Callable[[str], LocalModel], settings: SettingsFile) -> None:
        change(settings, engine=Engine(keep_loaded=1))
        reasons: list[str] = []
        threads = [
            threading.Thread(target=lambda name=name: reasons.append(run(models(name)).reason)) for name in "abcabc"
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert reasons == ["stop"] * 6

    def test_options_of_settings_and_of_requests(
        self, models: Callable[[str], LocalModel], catalog: ModelCatalog, settings: SettingsFile
    ) -> None:
        own = {"local:a": LoadOptions(n_ctx=50)}
        change(settings, engine=Engine(load=LoadOptions(n_ctx=40, n_threads=1), per_model=own))
        assert models("a").options == LoadOptions(n_ctx=50, n_threads=1)
        assert models("b").options == LoadOptions(n_ctx=40, n_threads=1)
        request = msgspec.structs.replace(HI, load=LoadOptions(n_ctx=60))
        list(models("a").stream(request, CancelToken()))
        [loaded] = catalog.loaded()
        assert loaded.loaded is not None
        assert loaded.loaded.n_ctx == 60
        assert loaded.info.id == "local:a"
        catalog.unload("local:a")
        assert catalog.loaded() == []
