"""What ggml finds to compute on. Asked of the loaded backends themselves, never guessed."""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from pathlib import Path
from typing import Any

from workbench.engine.child.llama import lib

_TYPES = {0: "cpu", 1: "gpu", 2: "igpu", 3: "accel"}
"""enum ggml_backend_dev_type of ggml-backend.h."""


def _symbol(name: str) -> Any:
    """A ggml function. libllama's handle finds those of the libraries it depends on, except on Windows."""
    try:
        return getattr(lib._lib, name)
    except AttributeError:
        pass
    spec = importlib.util.find_spec("llama_cpp")
    folder = Path(next(iter(spec.submodule_search_locations))) / "lib"  # type: ignore[union-attr,arg-type]
    suffixes = (".dll",) if sys.platform == "win32" else (".so", ".dylib")
    for stem in ("ggml", "libggml", "ggml-base", "libggml-base"):
        for suffix in suffixes:
            path = folder / f"{stem}{suffix}"
            if path.exists():
                library = ctypes.CDLL(str(path))
                if hasattr(library, name):
                    return getattr(library, name)
    return None


def _function(name: str, restype: Any, *argtypes: Any) -> Any:
    symbol = _symbol(name)
    if symbol is not None:
        symbol.restype = restype
        symbol.argtypes = list(argtypes)
    return symbol


def devices() -> list[dict[str, Any]]:
    """Each device's name, description, type (cpu, gpu, igpu, accel), memory_free and memory_total in bytes."""
    count = _function("ggml_backend_dev_count", ctypes.c_size_t)
    get = _function("ggml_backend_dev_get", ctypes.c_void_p, ctypes.c_size_t)
    name = _function("ggml_backend_dev_name", ctypes.c_char_p, ctypes.c_void_p)
    description = _function("ggml_backend_dev_description", ctypes.c_char_p, ctypes.c_void_p)
    kind = _function("ggml_backend_dev_type", ctypes.c_int, ctypes.c_void_p)
    size_pointer = ctypes.POINTER(ctypes.c_size_t)
    memory = _function("ggml_backend_dev_memory", None, ctypes.c_void_p, size_pointer, size_pointer)
    if None in (count, get, name, description, kind, memory):
        return []
    found = []
    for index in range(count()):
        device = get(index)
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        memory(device, ctypes.byref(free), ctypes.byref(total))
        found.append(
            {
                "name": (name(device) or b"").decode("utf-8", "replace"),
                "description": (description(device) or b"").decode("utf-8", "replace"),
                "type": _TYPES.get(kind(device), "unknown"),
                "memory_free": free.value,
                "memory_total": total.value,
            }
        )
    return found


def gpu_memory(found: list[dict[str, Any]]) -> tuple[int, int]:
    """Bytes in use on the GPUs, by whatever program, and bytes they have; (0, 0) without a GPU that tells."""
    total = sum(device["memory_total"] for device in gpus(found))
    free = sum(device["memory_free"] for device in gpus(found))
    return total - free, total


def gpus(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Devices that llama.cpp puts layers on: graphics cards, and an integrated GPU only where there is no card."""
    cards = [device for device in found if device["type"] == "gpu"]
    return cards or [device for device in found if device["type"] == "igpu"]
