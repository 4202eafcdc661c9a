"""What the operating system must bring: a compiler, and the libraries Qt's binaries link to. Standard library only.

Qt's own message blames one library whatever is missing; `ldd` on Qt's files names the real ones.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

DEBIAN_PACKAGES = {
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libGL.so.1": "libgl1",
    "libOpenGL.so.0": "libopengl0",
    "libEGL.so.1": "libegl1",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libdbus-1.so.3": "libdbus-1-3",
    "libdrm.so.2": "libdrm2",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libX11.so.6": "libx11-6",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxcb.so.1": "libxcb1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-glx.so.0": "libxcb-glx0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libwayland-client.so.0": "libwayland-client0",
    "libwayland-cursor.so.0": "libwayland-cursor0",
    "libwayland-egl.so.1": "libwayland-egl1",
    "libgomp.so.1": "libgomp1",
    "libstdc++.so.6": "libstdc++6",
    "libz.so.1": "zlib1g",
}
"""Shared library -> Debian's package. Debian 13 renamed some to NAMEt64, which `available_names` finds."""

TEST_PROGRAMS = {
    "Xvfb": "xvfb",
    "xdotool": "xdotool",
    "dbus-daemon": "dbus",
    "dbus-run-session": "dbus",
}
"""Programs the end-to-end tests start. Without them those tests are skipped."""

Run = Callable[[Sequence[str]], "tuple[int, str]"]


class SetupError(Exception):
    """One line for the user: what is missing and how to get it."""


def run_quietly(command: Sequence[str]) -> tuple[int, str]:
    """Exit code and output. 127 where the program does not exist."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
            check=False,
        )
    except OSError as error:
        return 127, str(error)
    return done.returncode, done.stdout


def has_compiler() -> bool:
    return any(shutil.which(name) for name in ("c++", "g++", "clang++", "cl"))


def qt_files(site_packages: Path, platforms: Iterable[str]) -> list[Path]:
    """Qt's binaries whose libraries must be there: the modules we use, the platform plugins, icons and images."""
    package = site_packages / "PySide6"
    files = [path for name in ("QtCore", "QtGui", "QtWidgets", "QtSvg") for path in package.glob(f"{name}.*.so")]
    plugins = package / "Qt" / "plugins"
    for platform in platforms:
        files += sorted((plugins / "platforms").glob(f"libq{platform}*.so"))
    if "xcb" in platforms:
        files += sorted((plugins / "xcbglintegrations").glob("*.so"))
    files += [plugins / "imageformats" / "libqsvg.so", plugins / "iconengines" / "libqsvgicon.so"]
    return [path for path in files if path.exists()]


def missing_libraries(files: Sequence[Path], run: Run = run_quietly) -> list[str]:
    """Sonames that the dynamic linker does not find. Empty where there is no `ldd`."""
    if not files or not sys.platform.startswith("linux"):
        return []
    code, output = run(["ldd", *map(str, files)])
    if code == 127:
        return []
    return sorted({line.split("=>")[0].strip() for line in output.splitlines() if "=> not found" in line})


def debian_packages(libraries: Iterable[str]) -> tuple[list[str], list[str]]:
    """Packages that hold these libraries, and the libraries nobody knows a package for."""
    packages = {DEBIAN_PACKAGES[name] for name in libraries if name in DEBIAN_PACKAGES}
    return sorted(packages), sorted(name for name in libraries if name not in DEBIAN_PACKAGES)


def missing_test_programs() -> list[str]:
    """Debian packages of what the end-to-end tests start."""
    packages = {package for program, package in TEST_PROGRAMS.items() if not shutil.which(program)}
    registry = [Path("/usr/libexec/at-spi-bus-launcher"), Path("/usr/lib/at-spi2-core/at-spi-bus-launcher")]
    if not any(path.exists() for path in registry):
        packages.add("at-spi2-core")
    return sorted(packages)


def can_apt_install() -> bool:
    return sys.platform.startswith("linux") and os.geteuid() == 0 and shutil.which("apt-get") is not None


def available_names(packages: Iterable[str], run: Run = run_quietly) -> list[str]:
    """Each package under the name this release has it by: `libglib2.0-0` is `libglib2.0-0t64` in Debian 13."""
    names = []
    for package in packages:
        candidates = (package, f"{package}t64")
        names.append(next((name for name in candidates if _has_candidate(name, run)), package))
    return names


def apt_install(packages: Sequence[str], say: Callable[[str], None], run: Run = run_quietly) -> None:
    """Install with apt, as root. Raises SetupError with the last lines of apt's output."""
    say(f"Installing system packages: {' '.join(packages)}")
    code, output = run(["apt-get", "update"])
    if code == 0:
        names = available_names(packages, run)
        code, output = run(["apt-get", "install", "-y", "--no-install-recommends", *names])
    if code != 0:
        tail = " | ".join(line for line in output.splitlines()[-3:] if line.strip())
        raise SetupError(f"The system packages {' '.join(packages)} could not be installed: {tail}")


def need_packages(
    packages: Sequence[str],
    why: str,
    say: Callable[[str], None],
    *,
    unknown: Sequence[str] = (),
    run: Run = run_quietly,
) -> None:
    """Install what is missing if we may, else raise SetupError with the exact command."""
    if packages and not unknown and can_apt_install():
        apt_install(packages, say, run)
        return
    raise SetupError(f"{why} {how_to_install(packages, unknown, run)}".strip())


def how_to_install(packages: Sequence[str], unknown: Sequence[str] = (), run: Run = run_quietly) -> str:
    """The sentence that says what to type, for the package manager this machine has."""
    if shutil.which("apt-get"):
        sentence = ""
        if packages:
            names = " ".join(available_names(packages, run))
            sentence = f"Install it with: sudo apt-get install -y --no-install-recommends {names}"
        if unknown:
            sentence += f" Find the packages that hold {', '.join(unknown)} with apt-file."
        return sentence.strip()
    libraries = [name for name, package in DEBIAN_PACKAGES.items() if package in packages] + list(unknown)
    if libraries and shutil.which("dnf"):
        return "Install it with: sudo dnf install " + " ".join(f"'{name}()(64bit)'" for name in libraries)
    if libraries:
        return f"Install the packages of your system that hold {', '.join(libraries)}."
    return f"Install what your system calls {', '.join(packages)}."


def _has_candidate(package: str, run: Run) -> bool:
    _, output = run(["apt-cache", "policy", package])
    return any(
        line.strip().startswith("Candidate:") and not line.strip().endswith("(none)") for line in output.splitlines()
    )
