"""llama.cpp's C interface, imported leanly, with its log captured.

`import llama_cpp` also imports numpy, jinja2 and the high-level class, which costs the child 0.2 s before it can say
hello. Only the low-level module is wanted here, so it is imported below a bare package object; a later
`import llama_cpp` elsewhere still gets the full package.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import importlib.metadata
import importlib.util
import os
import sys
import types
from collections import deque
from pathlib import Path
from typing import Any

_PACKAGE = "llama_cpp"
_LEVEL_DEBUG = 1
_LEVEL_CONTINUED = 5


def _import_bindings() -> Any:
    name = f"{_PACKAGE}.llama_cpp"
    if name in sys.modules or _PACKAGE in sys.modules:
        return importlib.import_module(name)
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return importlib.import_module(name)
    bare = types.ModuleType(_PACKAGE)
    bare.__path__ = list(spec.submodule_search_locations)
    sys.modules[_PACKAGE] = bare
    try:
        return importlib.import_module(name)
    finally:
        del sys.modules[_PACKAGE]


lib: Any = _import_bindings()
"""The low-level bindings: functions and structs under llama.cpp's own names."""


def _folder() -> Path:
    """Where the package lies."""
    return Path(next(iter(importlib.util.find_spec(_PACKAGE).submodule_search_locations)))  # type: ignore[union-attr,arg-type]


def json_schema_to_gbnf(schema_json: str) -> str:
    """llama.cpp's converter. Raises nearly anything for schemas it does not know."""
    name = "llama_cpp.llama_grammar"
    module = sys.modules.get(name)
    if module is None:
        spec = importlib.util.spec_from_file_location(name, _folder() / "llama_grammar.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    text: str = module.json_schema_to_gbnf(schema_json)
    return text


class LlamaLog:
    """Copies llama.cpp's log to stderr (the parent keeps it in a file) and remembers its last lines.

    The log is the only place where llama.cpp says why a call returned NULL.
    """

    def __init__(self, keep: int = 300) -> None:
        self._lines: deque[str] = deque(maxlen=keep)
        self._open_line = ""
        self._callback = lib.llama_log_callback(self._receive)

    def install(self) -> None:
        lib.llama_log_set(self._callback, ctypes.c_void_p(0))

    def clear(self) -> None:
        self._lines.clear()
        self._open_line = ""

    @property
    def lines(self) -> list[str]:
        return [*self._lines, *([self._open_line] if self._open_line else [])]

    def _receive(self, level: int, text: bytes | None, _user_data: Any) -> None:
        if not text or level == _LEVEL_DEBUG:
            return
        with contextlib.suppress(OSError):
            os.write(2, text)
        pieces = (self._open_line + text.decode("utf-8", "replace")).split("\n")
        self._open_line = pieces.pop()
        self._lines.extend(piece for piece in pieces if piece.strip())


log = LlamaLog()


def load_backends(folder: Path, libllama: Any) -> bool:
    """Load the backend that suits this processor, where there is a file for each kind: in the installers' build.

    A build for one machine has its backend linked in: False, and nothing is to do. By itself llama.cpp would look
    beside the program and in the working directory, whose files are not ours.
    """
    if not any(folder.glob("*ggml-cpu-*")):
        return False
    name = "ggml_backend_load_all_from_path"
    library = libllama if hasattr(libllama, name) else ctypes.CDLL(str(folder / "ggml.dll"))  # Windows: not passed on
    load = getattr(library, name)
    load.restype, load.argtypes = None, [ctypes.c_char_p]
    load(os.fsencode(folder))
    return True


def start_backend() -> None:
    """Initialise llama.cpp once for the process; everything it logs goes through `log`."""
    log.install()
    load_backends(_folder() / "lib", lib._lib)
    lib.llama_backend_init()


def build() -> str:
    """llama.cpp's own version and that of the Python package that carries it."""
    version: str = lib.llama_version().decode("utf-8", "replace")
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return f"{version} (llama-cpp-python {importlib.metadata.version('llama-cpp-python')})"
    return version


def read_text(call: Any, *arguments: Any, size: int = 256) -> str:
    """The string a `(…, char * buf, size_t size) -> int32` function writes; empty where it reports an error."""
    while True:
        buffer = ctypes.create_string_buffer(size)
        length = call(*arguments, buffer, size)
        if length < 0:
            return ""
        if length < size:
            return buffer.raw[:length].decode("utf-8", "replace")
        size = length + 1
