"""Which weights llama.cpp's CPU backend keeps a second copy of, rearranged for the processor. No Qt.

The originals stay mapped and count as the process's memory, though the system can take them back. By
`ggml_repack_get_optimal_repack_type` of ggml's repack.cpp.
"""

from __future__ import annotations

import functools
import platform
from pathlib import Path

_X86 = frozenset({"Q4_0", "Q4_K", "IQ4_NL", "MXFP4"})
"""With AVX2."""
_X86_AVX512 = _X86 | {"Q2_K"}
_ARM = frozenset({"Q1_0", "Q4_0", "Q4_K", "Q5_K", "Q6_K", "Q8_0", "IQ4_NL", "MXFP4"})
"""With dot products, as all that run desktops have."""
_TYPES: dict[str, dict[str, float]] = {
    "Q2_K": {"Q2_K": 0.6, "Q3_K": 0.35},
    "Q3_K_S": {"Q3_K": 1.0},
    "Q3_K_M": {"Q3_K": 0.7, "Q4_K": 0.25},
    "Q3_K_L": {"Q3_K": 0.65, "Q5_K": 0.35},
    "Q4_K_S": {"Q4_K": 0.9, "Q5_K": 0.1},
    "Q4_K_M": {"Q4_K": 0.65, "Q6_K": 0.35},
    "Q5_K_S": {"Q5_K": 1.0},
    "Q5_K_M": {"Q5_K": 0.65, "Q6_K": 0.35},
}
"""Of mixed quantisations, by label: about what share of the bytes is of which type."""


@functools.cache
def repacked_types() -> frozenset[str]:
    """Types of which this machine's backend keeps a copy."""
    machine = platform.machine().lower()
    if machine in ("arm64", "aarch64"):
        return _ARM
    if machine in ("x86_64", "amd64"):
        return _X86_AVX512 if _has_avx512() else _X86
    return frozenset()


def repacked_share(label: str) -> float:
    """Of a file known by its label only: how much of its layers is copied."""
    name = label.upper().removeprefix("UD-").replace("_XL", "_M")
    return sum(share for kind, share in _TYPES.get(name, {name: 1.0}).items() if kind in repacked_types())


def _has_avx512() -> bool:
    """Told on Linux only; elsewhere Q2_K is taken to have no copy."""
    try:
        return " avx512f " in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
