"""Will a model run here, how fast, and which quantisation to take. Advice, never a block. No Qt.

Memory = weights by layer + KV cache + recurrent state + compute buffers + the engine process itself. A token's time is
that of reading the weights it needs once, at this machine's memory bandwidth or as fast as its cores multiply. Both
are corrected by what was measured on this machine before (see `experience`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
import psutil

from workbench.core.requests import LoadOptions
from workbench.hub.repos import Quantization
from workbench.services.experience import Experience, Kind
from workbench.services.model_shape import ModelShape

Verdict = Literal["vram", "ram", "partly", "no"]
PROCESS_BYTES = 40 << 20
"""The engine's process with its libraries, before any model. This and the next two were fitted by
`python -m tests.benchmarks.memory_fit` on its first part; the error on models that were held out stands in its head."""
BYTES_PER_TOKEN_OF_VOCABULARY = 330
TOUCHED_SHARE = 0.125
"""Of the activations of a batch, as a plain sum: buffers are used again from operation to operation."""
N_UBATCH = 512
"""Tokens evaluated at once unless the load options say otherwise; the engine's own default."""
SLOTS = 8
"""Sequences a recurrent model keeps a state for; the engine's own default."""
GPU_RESERVE_BYTES = 512 << 20
"""Left free on each GPU for the desktop."""
CORE_BYTES_PER_S = 5.5e9
"""Quantised weights one core multiplies with, where memory does not hold it up: two cores of a server write 90 tokens/s
with a model of 98 MB. Until something was measured."""
GPU_TIMES_FASTER = 6.0
"""A consumer GPU's bandwidth against the machine's RAM, until something was measured."""
USUAL_CONTEXT = 8192
USUAL_FILL = 1024
"""Tokens a conversation usually has when its speed is looked at."""
COMFORTABLE_TOKENS_PER_S = 12.0
SLOW_TOKENS_PER_S = 3.0
"""Below this an answer comes slower than it is read aloud."""


class Gpu(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    memory_free: int
    memory_total: int


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    ram_total: int
    ram_available: int
    gpus: tuple[Gpu, ...] = ()
    bandwidth_bytes_per_s: float = 10e9
    cores: int = 0
    """Physical ones; 0 where they are not known."""

    @classmethod
    def here(cls, devices: Iterable[dict[str, Any]] = (), *, bandwidth_bytes_per_s: float = 10e9) -> Machine:
        """This machine; `devices` as the engine's llama.cpp sees them (`Hello.backends`)."""
        memory = psutil.virtual_memory()
        gpus = tuple(
            Gpu(name=d.get("description") or d["name"], memory_free=d["memory_free"], memory_total=d["memory_total"])
            for d in devices
            if d.get("type") in ("gpu", "igpu") and d.get("memory_total")
        )
        return cls(
            ram_total=memory.total,
            ram_available=memory.available,
            gpus=gpus,
            bandwidth_bytes_per_s=bandwidth_bytes_per_s,
            cores=psutil.cpu_count(logical=False) or 0,
        )

    def now(self) -> Machine:
        """With the RAM that is free at this moment."""
        return msgspec.structs.replace(self, ram_available=psutil.virtual_memory().available)

    @property
    def weights_per_s(self) -> float:
        """Bytes of weights that its processor gets through in a second: as memory brings them, or as it computes."""
        computed = self.cores * CORE_BYTES_PER_S
        return min(self.bandwidth_bytes_per_s, computed) if computed else self.bandwidth_bytes_per_s

    @property
    def vram_free(self) -> int:
        return sum(max(0, gpu.memory_free - GPU_RESERVE_BYTES) for gpu in self.gpus)


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """What loading a model would take. Sizes in bytes."""

    verdict: Verdict
    n_ctx: int
    weights_bytes: int
    cache_bytes: int
    compute_bytes: int
    process_bytes: int
    ram_bytes: int
    """Of the total, what stands in RAM."""
    spare_bytes: int
    """Of `ram_bytes`, pages of the file that the system takes back when memory is short."""
    vram_bytes: int
    gpu_layers: int
    n_layers: int
    tokens_per_s: float
    """Expected when generating; 0 where it does not fit."""
    advice: str
    """One or two sentences, with what to change where it does not fit."""

    @property
    def total_bytes(self) -> int:
        return self.ram_bytes + self.vram_bytes

    @property
    def needed_bytes(self) -> int:
        """RAM that has to be free."""
        return self.ram_bytes - self.spare_bytes


def judge(
    shape: ModelShape,
    machine: Machine,
    options: LoadOptions | None = None,
    *,
    experience: Experience | None = None,
    freed_ram: int = 0,
    freed_vram: int = 0,
    tokens_in_context: float = USUAL_FILL,
) -> Fit:
    """How a model would fit. `freed_…`: bytes of models that will be unloaded to make room for it;
    `tokens_in_context`: while it generates, which makes it slower."""
    options = options or LoadOptions()
    experience = experience or Experience()
    n_ctx = options.n_ctx or min(shape.context_length or USUAL_CONTEXT, USUAL_CONTEXT)
    cache = _cache_bytes(shape, n_ctx, options)
    compute = _compute_bytes(shape, n_ctx, options)
    process = PROCESS_BYTES + shape.n_vocab * BYTES_PER_TOKEN_OF_VOCABULARY
    vram = machine.vram_free + freed_vram
    layers = len(shape.layer_bytes)
    on_gpu = _gpu_layers(shape, cache, _gpu_compute_bytes(shape, n_ctx, options), vram, options)
    offloaded = _offloaded_bytes(shape, cache, on_gpu)
    gpu_buffers = _gpu_compute_bytes(shape, n_ctx, options) if on_gpu else 0
    in_ram = shape.weights_bytes + cache - offloaded + (0 if on_gpu > layers else compute)
    # of repacked weights two copies count, unless mmap is off; the mapped one gives way when memory is short
    spare = shape.repacked_bytes * max(0, layers + 1 - on_gpu) // (layers + 1) if options.use_mmap is not False else 0
    in_ram += spare
    factor = experience.factor("memory", kind_of(shape))
    ram, spare = int((in_ram + process) * factor), int(spare * factor)
    fits = ram - spare <= machine.ram_available + freed_ram
    verdict: Verdict = "no" if not fits else "vram" if on_gpu > layers else "partly" if on_gpu else "ram"
    filled = min(1.0, tokens_in_context / n_ctx)
    speed = _tokens_per_s(shape, cache * filled, on_gpu, machine, experience) if fits else 0.0
    fit = Fit(
        verdict=verdict,
        n_ctx=n_ctx,
        weights_bytes=shape.weights_bytes,
        cache_bytes=cache,
        compute_bytes=compute + gpu_buffers,
        process_bytes=process,
        ram_bytes=ram,
        spare_bytes=spare,
        vram_bytes=offloaded + gpu_buffers,
        gpu_layers=on_gpu,
        n_layers=layers,
        tokens_per_s=speed,
        advice="",
    )
    return msgspec.structs.replace(fit, advice=_advice(fit, machine, freed_ram))


def _cache_bytes(shape: ModelShape, n_ctx: int, options: LoadOptions) -> int:
    """The engine keeps windowed layers whole too, so that any prefix can be gone back to."""
    cells = -(-n_ctx // 256) * 256
    per_token = shape.cache_bytes_per_token(options.cache_type_k or "f16", options.cache_type_v or "f16")
    return int(cells * per_token) + shape.state_bytes * (options.n_parallel or SLOTS)


def _compute_bytes(shape: ModelShape, n_ctx: int, options: LoadOptions) -> int:
    """What evaluating a batch really touches in RAM: activations, and attention scores without flash attention."""
    tokens = min(options.n_ubatch or N_UBATCH, n_ctx)
    values = 3 * shape.n_embd + 2 * shape.n_ff
    if options.flash_attn == "off":
        values += shape.n_head * n_ctx
    return int(tokens * values * 4 * TOUCHED_SHARE) + shape.n_vocab * 4


def _gpu_compute_bytes(shape: ModelShape, n_ctx: int, options: LoadOptions) -> int:
    """What llama.cpp reserves on a GPU: logits of a whole batch and activations, touched or not."""
    tokens = min(options.n_ubatch or N_UBATCH, n_ctx)
    return tokens * (shape.n_vocab + 4 * shape.n_embd + 3 * shape.n_ff) * 4


def _gpu_layers(shape: ModelShape, cache: int, buffers: int, vram: int, options: LoadOptions) -> int:
    """How many layers go to the GPU, counting the output as one; as many as fit unless the options say."""
    layers = len(shape.layer_bytes)
    if vram <= 0 or options.n_gpu_layers == 0:
        return 0
    most = layers + 1 if options.n_gpu_layers in (None, -1) else min(options.n_gpu_layers or 0, layers + 1)
    return next((n for n in range(most, 0, -1) if _offloaded_bytes(shape, cache, n) + buffers <= vram), 0)


def _offloaded_bytes(shape: ModelShape, cache: int, gpu_layers: int) -> int:
    """Weights and cache of the last `gpu_layers` layers; the output goes with the first of them."""
    if gpu_layers == 0:
        return 0
    layers = len(shape.layer_bytes)
    repeating = min(gpu_layers - 1, layers)
    output = shape.output_bytes + (shape.input_bytes if shape.tied else 0)
    weights = sum(shape.layer_bytes[layers - repeating :]) + output
    return weights + (cache * repeating // layers if layers else 0)


def kind_of(shape: ModelShape) -> Kind:
    """What experience with a model is kept under."""
    return Kind(architecture=shape.architecture, quantization=shape.quantization, weights_bytes=shape.weights_bytes)


def _tokens_per_s(
    shape: ModelShape, cache_read: float, gpu_layers: int, machine: Machine, experience: Experience
) -> float:
    """Bandwidth over the bytes a token reads."""
    layers = max(1, len(shape.layer_bytes))
    share = min(1.0, gpu_layers / (layers + 1))
    needed = shape.bytes_read_per_token + cache_read
    if needed <= 0:
        return 0.0
    gpu = machine.bandwidth_bytes_per_s * GPU_TIMES_FASTER
    seconds = needed * (1 - share) / machine.weights_per_s + needed * share / gpu
    return experience.factor("speed-gpu" if gpu_layers else "speed", kind_of(shape)) / seconds


def _advice(fit: Fit, machine: Machine, freed_ram: int) -> str:
    need, have = gigabytes(fit.needed_bytes), gigabytes(machine.ram_available + freed_ram)
    if fit.verdict == "vram":
        return f"Fits into the GPU's memory ({gigabytes(fit.vram_bytes)} with {fit.n_ctx} tokens of context)."
    if fit.verdict == "ram":
        return f"Fits into RAM: needs {need} of {have} free, with {fit.n_ctx} tokens of context."
    if fit.verdict == "partly":
        return (
            f"{fit.gpu_layers} of {fit.n_layers + 1} layers fit on the GPU; the rest takes {need} of RAM ({have} free)."
        )
    if fit.cache_bytes > fit.weights_bytes / 2:
        change = "Choose a smaller context or a smaller cache type."
    elif fit.needed_bytes <= machine.ram_total * 0.9:
        change = "Close other programs, or choose a smaller quantisation."
    else:
        change = "Choose a smaller quantisation or a smaller model."
    return f"Needs {need} of RAM; {have} is free. {change}"


def gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.0f} MB"


# --- which quantisation ----------------------------------------------------------------------------------------------
class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    model: Quantization
    fit: Fit
    reason: str


_GOOD = ("Q8_0", "Q6_K", "Q5_K_M", "Q5_K_S", "Q5_0", "Q4_K_M", "MXFP4", "IQ4_XS", "Q4_K_S", "IQ4_NL", "Q4_1", "Q4_0")
"""Quantisations with little loss, best first; below them answers get noticeably worse."""


def fits(
    models: Sequence[Quantization],
    machine: Machine,
    shape: ModelShape | None = None,
    *,
    experience: Experience | None = None,
    freed_ram: int = 0,
    freed_vram: int = 0,
) -> list[Fit]:
    """A judgement of each quantisation of one model. `shape`: from the header of any of them, where it is known."""
    return [
        judge(
            (shape or rough_shape(model.size_bytes)).scaled(model.size_bytes, model.label),
            machine,
            experience=experience,
            freed_ram=freed_ram,
            freed_vram=freed_vram,
        )
        for model in models
    ]


def recommend(models: Sequence[Quantization], judged: Sequence[Fit]) -> Recommendation | None:
    """The best quantisation that runs well here, and why; the smallest where none fits. None without models."""
    offered = [(model, fit) for model, fit in zip(models, judged, strict=True) if model.complete]
    if not offered:
        return None
    running = [(model, fit) for model, fit in offered if fit.verdict != "no"]
    if not running:
        model, fit = min(offered, key=lambda pair: pair[0].size_bytes)
        return Recommendation(
            model=model, fit=fit, reason=f"the smallest there is, though it may not run. {fit.advice}"
        )
    good = sorted((pair for pair in running if _rank(pair[0]) < len(_GOOD)), key=lambda pair: _rank(pair[0]))
    for model, fit in good:
        if fit.verdict == "vram" or (fit.verdict != "partly" and fit.tokens_per_s >= COMFORTABLE_TOKENS_PER_S):
            where = "fits into the GPU's memory" if fit.verdict == "vram" else "fits into RAM"
            reason = f"the best that {where} and still answers quickly (about {fit.tokens_per_s:.0f} tokens/s)."
            return Recommendation(model=model, fit=fit, reason=reason)
    if good:
        # none is fast: the usual balance of quality and size, or what there is nearest to it
        model, fit = min(good, key=lambda pair: abs(_rank(pair[0]) - _GOOD.index("Q4_K_M")))
        reason = f"a good balance of quality and size; expect about {fit.tokens_per_s:.1f} tokens/s."
        if fit.tokens_per_s < SLOW_TOKENS_PER_S:
            speed = f"{fit.tokens_per_s:.1f} tokens/s"
            reason = f"a good balance of quality and size, but slow ({speed}): a smaller model would answer sooner."
        return Recommendation(model=model, fit=fit, reason=reason)
    model, fit = max(running, key=lambda pair: pair[0].size_bytes)
    return Recommendation(model=model, fit=fit, reason="the largest that fits here.")


def _rank(model: Quantization) -> int:
    label = model.label.upper().removeprefix("UD-").replace("_XL", "_M")
    return _GOOD.index(label) if label in _GOOD else len(_GOOD)


_USUAL: tuple[tuple[float, int, int, int, int], ...] = (
    (0.4e9, 768, 2_048, 30, 192),
    (1.5e9, 2_048, 8_192, 24, 384),
    (4.0e9, 3_072, 8_192, 28, 1_024),
    (12e9, 4_096, 14_336, 36, 1_024),
    (40e9, 5_120, 25_600, 64, 1_024),
    (float("inf"), 8_192, 28_672, 80, 1_024),
)
"""Up to this file size: embedding length, feed-forward length, layers and values of a layer's K cache for a token."""


def rough_shape(size_bytes: int) -> ModelShape:
    """A usual model of this file size, where its header is not known: a first guess."""
    n_embd, n_ff, layers, values = next(sizes for limit, *sizes in _USUAL if size_bytes <= limit)
    return ModelShape(
        architecture="",
        context_length=USUAL_CONTEXT,
        layer_bytes=(int(size_bytes * 0.9 / layers),) * layers,
        input_bytes=int(size_bytes * 0.05),
        output_bytes=int(size_bytes * 0.05),
        tied=False,
        k_values=(values,) * layers,
        v_values=(values,) * layers,
        n_embd=n_embd,
        n_ff=n_ff,
        n_head=n_embd // 128,
        n_vocab=100_000,
    )
