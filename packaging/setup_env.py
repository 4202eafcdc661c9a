"""Sets up the checkout on first use, then runs the program or its tests. Called by `launch` and `test`.

Standard library only: this runs before anything is installed. The environment is `.venv` in the checkout; a stamp in
it says for which dependencies it was made, so every later start costs one comparison.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

sys.path.insert(0, str(Path(__file__).resolve().parent))

import system_packages as system  # a neighbour of this file, wherever it is called from

ROOT = Path(__file__).resolve().parent.parent
WINDOWS = os.name == "nt"
SETUP_VERSION = 1
"""Raise it when an environment made by an older version of this file must be made again."""

EXTRAS = {"launch": "", "test": "test"}
LOG_TAIL_LINES = 15


class Checkout:
    """One checkout and its environment."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        self.venv = root / ".venv"
        self.python = self.venv / ("Scripts/python.exe" if WINDOWS else "bin/python")
        self.stamp = self.venv / "workbench-setup.json"
        self.unfinished = self.venv / "workbench-setup-unfinished"
        self.lock = root / "build" / "setup.lock"
        self.log = root / "build" / "setup.log"

    def wanted(self, purpose: str) -> str:
        """What the environment must have been made from to serve this purpose."""
        parts = [str(SETUP_VERSION), str(self.root), EXTRAS[purpose]]
        digest = hashlib.sha256("\0".join(parts).encode())
        digest.update((self.root / "pyproject.toml").read_bytes())
        return digest.hexdigest()

    def read_stamp(self) -> dict[str, str]:
        try:
            stamp = json.loads(self.stamp.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return stamp if isinstance(stamp, dict) else {}

    def write_stamp(self, **values: str) -> None:
        """Atomic, so that a start that reads meanwhile sees the old or the new one. Raises OSError."""
        stamp = {**self.read_stamp(), **values}
        handle, name = tempfile.mkstemp(dir=self.venv)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(stamp, file, indent=1)
        Path(name).replace(self.stamp)

    def is_ready(self, purpose: str) -> bool:
        stamp = self.read_stamp()
        return (
            stamp.get(purpose) == self.wanted(purpose)
            and not self.unfinished.exists()
            and self.has_living_python()
            and self.is_whole()
        )

    def modules(self) -> list[str]:
        """What can be imported from the environment, by the names of its files and folders."""
        ignored = ("__pycache__", ".dist-info", ".egg-info")
        try:
            return sorted(path.name for path in self.site_packages().iterdir() if not path.name.endswith(ignored))
        except OSError:
            return []

    def is_whole(self) -> bool:
        """Whether all modules that were installed are still there. pip would not notice that one is gone."""
        return set(self.read_stamp().get("modules", "").split("/")) - {""} <= set(self.modules())

    def has_living_python(self) -> bool:
        """Whether the environment's Python starts and is the one the packages were installed for.

        A system upgrade turns the link in it into another Python, whose site-packages folder is not there.
        """
        if Path(sys.prefix).resolve() != self.venv.resolve():
            code, _ = system.run_quietly([str(self.python), "-c", "import pip"])
            return code == 0
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return WINDOWS or (self.venv / "lib" / version / "site-packages").is_dir()

    def can_be_completed(self) -> bool:
        """Whether packages can be installed into what is there, rather than into a new environment."""
        made_elsewhere = self.read_stamp().get("root", str(self.root)) != str(self.root)
        if made_elsewhere or self.unfinished.exists() or not self.is_whole():
            return False
        code, _ = system.run_quietly(
            [
                str(self.python),
                "-c",
                "import pip, sys; sys.exit(sys.version_info < (3, 11) or sys.prefix == sys.base_prefix)",
            ]
        )
        return code == 0

    def site_packages(self) -> Path:
        if WINDOWS:
            return self.venv / "Lib" / "site-packages"
        return next(iter(sorted((self.venv / "lib").glob("python3.*/site-packages"))), self.venv / "lib")


def main(arguments: list[str]) -> int:
    """`launch ARGS…` or `test ARGS…`. Returns the exit code; on POSIX the program takes this process over."""
    purpose, rest = arguments[0], arguments[1:]
    checkout = Checkout()
    try:
        if purpose == "launch" and opens_window(rest):
            need_display(os.environ)
        if not checkout.is_ready(purpose):
            set_up(checkout, purpose)
        if purpose == "test":
            need_qt_libraries(checkout, ["offscreen", "minimal"])
            offer_a_screen(checkout)
        elif opens_window(rest):
            need_qt_libraries(checkout, window_platforms(os.environ))
    except system.SetupError as error:
        print(f"{purpose}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        print(f"{purpose}: {what}. {checkout.root} must be a folder that you can write to.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\n{purpose}: stopped. The next start goes on where it can.", file=sys.stderr)
        return 130
    # -P: a folder named workbench (or json) where the user happens to stand must not be imported instead
    if purpose == "launch":
        return take_over([str(checkout.python), "-P", "-m", "workbench", *rest])
    os.chdir(checkout.root)
    return take_over([str(checkout.python), "-m", "pytest", *rest])


def opens_window(arguments: Sequence[str]) -> bool:
    """The same rule as in workbench/__main__.py: nothing, or only model files."""
    return all(not name.startswith("-") and name.lower().endswith(".gguf") for name in arguments)


def need_display(environ: Mapping[str, str]) -> None:
    if not sys.platform.startswith("linux"):
        return
    if not any(environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")):
        raise system.SetupError(
            "there is no display here (neither DISPLAY nor WAYLAND_DISPLAY is set), so no window can open. "
            'Without one, ask on the command line: ./packaging/launch run -m starter "Why is the sky blue?"'
        )


def set_up(checkout: Checkout, purpose: str) -> None:
    """Make or complete the environment. Only one process does; others wait, then find it ready."""
    started = time.monotonic()
    with _locked(checkout.lock) as lock:
        if checkout.is_ready(purpose):
            return
        if not checkout.can_be_completed():
            make_venv(checkout)
        need_compiler(checkout)
        install(checkout, EXTRAS[purpose], lock)
        # who can run the tests can run the program
        purposes = {name: checkout.wanted(name) for name in ("launch", purpose)}
        checkout.write_stamp(root=str(checkout.root), modules="/".join(checkout.modules()), **purposes)
    say(f"Set up in {_duration(time.monotonic() - started)}.")


def make_venv(checkout: Checkout) -> None:
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        system.need_packages([package], "Python's venv module is missing.", say)
    say(f"Setting up Model Workbench in {checkout.venv} with Python {platform.python_version()}.")
    if checkout.venv.exists():
        shutil.rmtree(checkout.venv)
    checkout.venv.mkdir()
    checkout.unfinished.touch()  # half an environment may look like a whole one
    base = getattr(sys, "_base_executable", sys.executable)  # we may run in the very environment that is replaced
    code, output = system.run_quietly([base, "-m", "venv", str(checkout.venv)])
    if code != 0:
        tail = " | ".join(output.strip().splitlines()[-3:])
        raise system.SetupError(f"no virtual environment could be made in {checkout.venv}: {tail}")
    checkout.unfinished.unlink()


def need_compiler(checkout: Checkout) -> None:
    """llama-cpp-python has no wheel on PyPI: unless one is at hand it is compiled."""
    if system.has_compiler() or (checkout.site_packages() / "llama_cpp").is_dir():
        return
    pip = [str(checkout.python), "-m", "pip", "--disable-pip-version-check"]
    _, cached = system.run_quietly([*pip, "cache", "list", "llama_cpp_python", "--format=abspath"])
    if "llama_cpp_python" in cached:
        return
    with tempfile.TemporaryDirectory() as folder:
        requirement = llama_requirement(checkout.root / "pyproject.toml")
        code, _ = system.run_quietly(
            [*pip, "download", "-q", "--no-deps", "--only-binary=:all:", "-d", folder, requirement]
        )
    if code == 0:
        return
    system.need_packages(["g++"], "llama.cpp is compiled at set-up, and there is no C++ compiler.", say)


def llama_requirement(pyproject: Path) -> str:
    dependencies: list[str] = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["dependencies"]
    return next(line for line in dependencies if line.startswith("llama-cpp-python"))


def install(checkout: Checkout, extra: str, lock: IO[bytes]) -> None:
    """pip install of the checkout. Raises SetupError with the last lines of pip's output.

    pip holds the lock too: if this process is killed, pip goes on, and the next start waits for it.
    """
    command = _pip_install(checkout, f"{checkout.root}[{extra}]" if extra else str(checkout.root))
    checkout.unfinished.touch()
    with checkout.log.open("w", encoding="utf-8", errors="replace") as log:
        code = _run_with_progress(command, log, lock)
    checkout.unfinished.unlink()  # pip ended by itself: it leaves whole packages behind, whatever its verdict
    if code != 0:
        lines = checkout.log.read_text(encoding="utf-8", errors="replace").splitlines()
        print("\n".join(lines[-LOG_TAIL_LINES:]), file=sys.stderr)
        raise system.SetupError(f"pip could not install the packages; all of its output is in {checkout.log}")


def window_platforms(environ: Mapping[str, str]) -> list[str]:
    """Qt's platform plugins that may draw the window here."""
    return ["wayland"] if environ.get("WAYLAND_DISPLAY") and not environ.get("DISPLAY") else ["xcb"]


def need_qt_libraries(checkout: Checkout, platforms: list[str]) -> None:
    """The system's libraries for these platform plugins of Qt. Looked for once for each kind and version."""
    name, seen = f"qt-{'-'.join(platforms)}", _pyside_version(checkout)
    if checkout.read_stamp().get(name) == seen:
        return
    missing = system.missing_libraries(system.qt_files(checkout.site_packages(), platforms))
    if missing:
        packages, unknown = system.debian_packages(missing)
        why = f"Qt needs libraries this system lacks ({', '.join(missing)})."
        system.need_packages(packages, why, say, unknown=unknown)
    with contextlib.suppress(OSError):  # a checkout that can't be written: looked for again next time
        checkout.write_stamp(**{name: seen})


def offer_a_screen(checkout: Checkout) -> None:
    """What the end-to-end tests need for a virtual screen: installed if we may, else those tests are skipped."""
    if not sys.platform.startswith("linux"):
        return
    try:
        if system.can_apt_install():
            need_qt_libraries(checkout, ["xcb"])
        missing = system.missing_test_programs()
        if missing:
            system.need_packages(missing, f"Not installed: {', '.join(missing)}.", say)
    except system.SetupError as error:
        say(f"Tests that need a screen will be skipped. {error}")


def take_over(command: list[str]) -> int:
    """Become the command. Windows has no exec that keeps the console, so there we wait for it."""
    sys.stdout.flush()
    sys.stderr.flush()
    if not WINDOWS:
        os.execv(command[0], command)
    return subprocess.call(command)


def say(text: str) -> None:
    """Progress goes to stderr: stdout belongs to the program's answer."""
    print(text, file=sys.stderr, flush=True)


# --- details --------------------------------------------------------------------------------------------------
def _pip_install(checkout: Checkout, target: str) -> list[str]:
    pip = [str(checkout.python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    return [*pip, "--progress-bar", "off", "-e", target]


def _pyside_version(checkout: Checkout) -> str:
    found = sorted(checkout.site_packages().glob("pyside6_essentials-*.dist-info"))
    return found[-1].name if found else ""


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[IO[bytes]]:
    """Hold the lock file; waits for another holder. It is let go when the process ends, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        if not _try_lock(file):
            say("Another start is setting up; waiting for it.")
            while not _try_lock(file):
                time.sleep(0.2)
        yield file


def _try_lock(file: IO[bytes]) -> bool:
    try:
        if WINDOWS:
            import msvcrt  # noqa: PLC0415 - exists on Windows only

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl  # noqa: PLC0415 - does not exist on Windows

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _run_with_progress(command: Sequence[str], log: IO[str], lock: IO[bytes]) -> int:
    """Run pip, its output into the log, one line about what it does on the terminal."""
    progress = _Progress()
    with subprocess.Popen(
        command,
        cwd=tempfile.gettempdir(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        pass_fds=() if WINDOWS else (lock.fileno(),),
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                log.write(line)
                log.flush()
                progress.show(line.strip())
            return process.wait()
        except BaseException:
            process.terminate()
            raise
        finally:
            progress.end()


class _Progress:
    """One line that is rewritten on a terminal; elsewhere a line whenever pip starts something new."""

    def __init__(self) -> None:
        self._tty = sys.stderr.isatty()
        self._started = time.monotonic()
        self._last = ""

    def show(self, line: str) -> None:
        text = describe(line)
        if not text or (text == self._last and not self._tty):
            return
        self._last = text
        if self._tty:
            width = shutil.get_terminal_size().columns - 1
            shown = f"{_duration(time.monotonic() - self._started)}  {text}"[:width]
            print(f"\r\033[K{shown}", end="", file=sys.stderr, flush=True)
        else:
            say(text)

    def end(self) -> None:
        if self._tty:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def describe(pip_line: str) -> str:
    """What pip's line means to the user; empty for lines that mean nothing to them."""
    words = pip_line.split()
    if not words:
        return ""
    if words[0] == "Collecting" and len(words) > 1:
        return f"Fetching {words[1]}"
    if pip_line.startswith("Building wheel for llama"):
        return "Compiling llama.cpp (about 7 minutes on 2 cores, once)"
    if pip_line.startswith("Building wheel"):
        return f"Building {words[3]}" if len(words) > 3 else "Building"
    if pip_line.startswith("Installing collected packages"):
        return "Installing the packages"
    return ""


def _duration(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
