"""Loads the child's one model and makes its context."""

from __future__ import annotations

import ctypes
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from workbench.core.errors import BadInput, BadModelFile, Cancelled, OutOfMemory
from workbench.core.gguf import read_header, split_parts
from workbench.core.requests import LoadOptions
from workbench.engine.child import load_errors, memory_plan
from workbench.engine.child.devices import devices, gpus
from workbench.engine.child.llama import lib, log, read_text
from workbench.engine.child.sampling import model_defaults
from workbench.engine.child.vocab import Vocab
from workbench.engine.protocol import LoadedModel

DEFAULT_PARALLEL = 8
DEFAULT_BATCH = 2048
DEFAULT_UBATCH = 512
PARKED_SLOTS = 16
"""Sequences kept after their request ended, so that a later request can go on from them. They cost cells only."""
_FLASH_ATTN = {"auto": -1, "off": 0, "on": 1}


@dataclass(slots=True)
class Model:
    """A loaded model with its context for generating text (None where it only makes embeddings)."""

    path: Path
    options: LoadOptions
    handle: Any
    context: Any
    vocab: Vocab
    metadata: dict[str, str]
    info: LoadedModel
    n_slots: int
    can_trim: bool
    """False: llama.cpp can't cut the end off a sequence (recurrent state), so only whole prefixes are reused."""
    n_swa: int
    """Tokens of the sliding window where the cache forgets what left it; 0: it keeps everything."""
    adapters: list[Any] = field(default_factory=list)

    @property
    def chat_template(self) -> str | None:
        raw = lib.llama_model_chat_template(self.handle, None)
        return raw.decode("utf-8", "replace") if raw else None


def load(path: str, options: LoadOptions, progress: Callable[[float], bool]) -> Model:
    """Load a GGUF. `progress` gets 0 to 1 and returns False to cancel.

    Raises BadModelFile, OutOfMemory, BadInput or Cancelled, with the reason in plain words.
    """
    started = time.monotonic()
    file = Path(path)
    _check_file(file)
    type_k = memory_plan.cache_type(options.cache_type_k, "cache_type_k")
    type_v = memory_plan.cache_type(options.cache_type_v, "cache_type_v")
    found = devices()
    handle, gpu_layers, planned_ctx = _load_weights(file, options, found, progress)
    try:
        return _with_context(file, options, handle, gpu_layers, planned_ctx, type_k, type_v, started)
    except BaseException:
        lib.llama_model_free(handle)
        raise


def _check_file(file: Path) -> None:
    if not file.exists():
        raise BadModelFile(f"{file} does not exist.", hint="It was moved or deleted; choose the model again.")
    if file.is_dir():
        raise BadModelFile(f"{file} is a folder, not a model file.", hint="Choose the .gguf file in it.")
    if file.stat().st_size == 0:
        raise BadModelFile(f"{file.name} is empty.", hint="Download the file again.")
    if not os.access(file, os.R_OK):
        raise BadModelFile(f"{file} may not be read.", hint="Change the file's permissions.")


def _load_weights(
    file: Path, options: LoadOptions, found: list[dict[str, Any]], progress: Callable[[float], bool]
) -> tuple[Any, int, int | None]:
    """The model, how many of its layers are on the GPU, and the context that was planned beside them."""
    cancelled = False

    def report(fraction: float, _user_data: Any) -> bool:
        nonlocal cancelled
        cancelled = not progress(fraction)
        return not cancelled

    plan = _plan_for_gpu(file, options, found)
    params = lib.llama_model_default_params()
    callback = lib.llama_progress_callback(report)
    params.progress_callback = callback
    params.load_mode = (1 if options.use_mmap is not False else 0) + (2 if options.use_mlock else 0)
    params.n_gpu_layers = plan.n_gpu_layers if plan else options.n_gpu_layers or 0
    log.clear()
    handle = lib.llama_model_load_from_file(os.fsencode(file), params)
    if cancelled:
        if handle:
            lib.llama_model_free(handle)
        raise Cancelled(f"Loading {file.name} was cancelled.")
    if not handle:
        raise load_errors.explain(file.name, log.lines)
    layers = offloaded_layers(log.lines, params.n_gpu_layers, lib.llama_model_n_layer(handle), bool(gpus(found)))
    return handle, layers, plan.n_ctx if plan else None


def offloaded_layers(lines: list[str], asked: int, n_layers: int, has_gpu: bool) -> int:
    """As llama.cpp says it; where it does not, as it was asked for. The output counts as a layer."""
    if not has_gpu:
        return 0
    if match := re.search(r"offloaded (\d+)/\d+ layers to GPU", "\n".join(lines)):
        return int(match[1])
    return n_layers + 1 if asked < 0 else min(asked, n_layers + 1)


def flash_attention(lines: list[str], asked: str) -> str:
    """on or off, as llama.cpp decided where it was asked to; auto where it does not say."""
    match = re.search(r"Flash Attention (?:was auto, set to )?(enabled|disabled)", "\n".join(lines))
    return {"enabled": "on", "disabled": "off"}[match[1]] if asked == "auto" and match else asked


def _plan_for_gpu(file: Path, options: LoadOptions, found: list[dict[str, Any]]) -> memory_plan.Plan | None:
    """None where there is nothing to plan, or the file can't be read: then the real load tells what is wrong."""
    if not gpus(found) or options.n_gpu_layers == 0:
        return None
    params = lib.llama_model_default_params()
    params.vocab_only = True
    header = lib.llama_model_load_from_file(os.fsencode(file), params)
    if not header:
        return None
    try:
        shape = _shape(header, _metadata(header))
        return memory_plan.plan(
            found,
            file_bytes=_size_of(file),
            n_layers=lib.llama_model_n_layer(header),
            n_ctx_train=lib.llama_model_n_ctx_train(header),
            bytes_per_token=shape.bytes_per_token(options.cache_type_k or "f16", options.cache_type_v or "f16"),
            memory_free=memory_plan.free_memory(),
            n_ctx=options.n_ctx,
            n_gpu_layers=options.n_gpu_layers,
        )
    finally:
        lib.llama_model_free(header)


def _size_of(file: Path) -> int:
    """Bytes of all parts of a model."""
    return sum(part.stat().st_size for part in split_parts(file, read_header(file).facts))


def _with_context(
    file: Path,
    options: LoadOptions,
    handle: Any,
    gpu_layers: int,
    planned_ctx: int | None,
    type_k: tuple[str, int],
    type_v: tuple[str, int],
    started: float,
) -> Model:
    metadata = _metadata(handle)
    architecture = metadata.get("general.architecture", "")
    recurrent, hybrid = lib.llama_model_is_recurrent(handle), lib.llama_model_is_hybrid(handle)
    embeds = bool(options.embeddings) or _makes_embeddings(handle, metadata)
    n_train = lib.llama_model_n_ctx_train(handle)
    per_token = _shape(handle, metadata).bytes_per_token(type_k[0], type_v[0])
    n_ctx = options.n_ctx or planned_ctx
    n_ctx = n_ctx or memory_plan.automatic_context(n_train, per_token, memory_plan.free_memory())
    n_parallel = DEFAULT_PARALLEL if options.n_parallel is None else options.n_parallel
    _check_numbers(options, n_ctx, n_parallel, 0.0 if recurrent or embeds else per_token)
    params = _context_params(options, n_ctx, type_k[1], type_v[1])
    # A recurrent state costs memory for each sequence, a parked sequence of attention costs its cells only.
    n_slots = n_parallel if recurrent or hybrid else min(n_parallel + PARKED_SLOTS, lib.llama_max_parallel_sequences())
    params.n_seq_max = n_slots
    adapters = _load_adapter(handle, options)
    context, n_swa = None, 0
    if not embeds:
        context, n_swa = _make_context(handle, params, file)
        set_adapters(context, adapters, options)
    info = LoadedModel(
        description=read_text(lib.llama_model_desc, handle),
        architecture=architecture,
        quantization=_quantization(handle),
        parameters=lib.llama_model_n_params(handle),
        size_bytes=lib.llama_model_size(handle),
        n_ctx=lib.llama_n_ctx(context) if context else n_ctx,
        n_ctx_train=n_train,
        n_layers=lib.llama_model_n_layer(handle),
        n_gpu_layers=gpu_layers,
        n_threads=params.n_threads,
        n_batch=params.n_batch,
        n_parallel=n_parallel,
        flash_attn=flash_attention(log.lines if context else [], options.flash_attn or "auto"),
        cache_type_k=type_k[0],
        cache_type_v=type_v[0],
        n_embd=lib.llama_model_n_embd_out(handle),
        is_embedding_model=embeds,
        is_recurrent=recurrent or hybrid,
        has_chat_template=bool(lib.llama_model_chat_template(handle, None)),
        default_sampling=model_defaults(metadata),
        load_s=time.monotonic() - started,
        memory_bytes=psutil.Process().memory_info().rss,
    )
    can_trim = not (recurrent or hybrid)
    return Model(file, options, handle, context, Vocab(handle), metadata, info, n_slots, can_trim, n_swa, adapters)


def _check_numbers(options: LoadOptions, n_ctx: int, n_parallel: int, bytes_per_token: float) -> None:
    limit = lib.llama_max_parallel_sequences()
    if not 1 <= n_parallel <= limit:
        raise BadInput(f"n_parallel must be between 1 and {limit}, not {n_parallel}.")
    for name in ("n_ctx", "n_threads", "n_threads_batch", "n_batch", "n_ubatch"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise BadInput(f"{name} must be at least 1, not {value}.")
    needed, total = int(n_ctx * bytes_per_token), psutil.virtual_memory().total
    if n_ctx > 2**31 - 1 or needed > total:
        # The system would promise the memory and kill the process once it is used.
        raise OutOfMemory(
            f"A context of {n_ctx} tokens needs {needed / 2**30:.1f} GiB; this machine has {total / 2**30:.1f} GiB.",
            hint="Choose a smaller context or a smaller cache type.",
        )


def _context_params(options: LoadOptions, n_ctx: int, type_k: int, type_v: int) -> Any:
    params = lib.llama_context_default_params()
    params.n_ctx = n_ctx
    params.n_batch = min(options.n_batch or DEFAULT_BATCH, max(n_ctx, 64))
    params.n_ubatch = min(options.n_ubatch or DEFAULT_UBATCH, params.n_batch)
    params.n_threads = options.n_threads or memory_plan.physical_cores()
    params.n_threads_batch = options.n_threads_batch or options.n_threads or memory_plan.logical_cores()
    params.flash_attn_type = _FLASH_ATTN[options.flash_attn or "auto"]
    params.type_k, params.type_v = type_k, type_v
    params.kv_unified = True
    params.swa_full = True
    params.no_perf = True
    return params


def _make_context(handle: Any, params: Any, file: Path) -> tuple[Any, int]:
    """The context, and the window size where its cache keeps no more than that of a sequence.

    Models with a sliding window get a full-size cache first, which can go back to any prefix. Where that does not fit,
    the small one must do; then prefixes are reused only as far back as the window reaches.
    """
    log.clear()
    context = lib.llama_init_from_model(handle, params)
    if context:
        return context, 0
    n_swa: int = lib.llama_model_n_swa(handle)
    if n_swa > 0:
        params.swa_full = False
        context = lib.llama_init_from_model(handle, params)
        if context:
            return context, n_swa
    raise load_errors.explain(file.name, log.lines, "could be loaded, but its context could not be made")


def _makes_embeddings(handle: Any, metadata: dict[str, str]) -> bool:
    """Encoder-only models, and those whose metadata say how to pool."""
    if lib.llama_model_has_encoder(handle) and lib.llama_model_has_decoder(handle):
        raise BadModelFile(
            "Models with an encoder and a decoder (such as T5) can't be used here.", hint="Choose a decoder-only model."
        )
    if lib.llama_model_is_diffusion(handle):
        raise BadModelFile("Diffusion language models can't be used here.", hint="Choose another model.")
    architecture = metadata.get("general.architecture", "")
    causal = metadata.get(f"{architecture}.attention.causal", "true")
    pooling = metadata.get(f"{architecture}.pooling_type", "0")
    return causal == "false" or pooling not in ("", "0") or not lib.llama_model_has_decoder(handle)


def _load_adapter(handle: Any, options: LoadOptions) -> list[Any]:
    if not options.lora_path:
        return []
    file = Path(options.lora_path)
    _check_file(file)
    log.clear()
    adapter = lib.llama_adapter_lora_init(handle, os.fsencode(file))
    if not adapter:
        raise load_errors.explain(file.name, log.lines, "is no LoRA adapter for this model")
    return [adapter]


def set_adapters(context: Any, adapters: list[Any], options: LoadOptions) -> None:
    if adapters:
        scale = 1.0 if options.lora_scale is None else options.lora_scale
        handles = (lib.llama_adapter_lora_p_ctypes * len(adapters))(*adapters)
        if lib.llama_set_adapters_lora(context, handles, len(adapters), (ctypes.c_float * 1)(scale)) != 0:
            raise BadModelFile(f"The adapter {options.lora_path} could not be applied to this model.")


def _quantization(handle: Any) -> str:
    name: bytes = lib.llama_ftype_name(lib.llama_model_ftype(handle)) or b""
    return name.decode("utf-8", "replace").removeprefix("(guessed) ").removeprefix("all ")


def _metadata(handle: Any) -> dict[str, str]:
    """The GGUF's scalar metadata as text."""
    count = lib.llama_model_meta_count(handle)
    return {
        read_text(lib.llama_model_meta_key_by_index, handle, i): read_text(
            lib.llama_model_meta_val_str_by_index, handle, i
        )
        for i in range(count)
    }


def _shape(handle: Any, metadata: dict[str, str]) -> memory_plan.CacheShape:
    return memory_plan.CacheShape.of(
        metadata,
        lib.llama_model_n_layer(handle),
        lib.llama_model_n_embd(handle),
        lib.llama_model_n_head(handle),
        lib.llama_model_n_head_kv(handle),
    )
