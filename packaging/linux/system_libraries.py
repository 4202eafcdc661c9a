"""Which of the system's libraries and which glibc a bundle needs, and the Debian packages that hold them.

    python packaging/linux/system_libraries.py BUNDLE

A library that is neither in the bundle nor known here is an error: the program would not start on a bare system.
"""

from __future__ import annotations

import re
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

GLIBC = re.compile(r"lib(c|m|dl|pthread|rt|util|resolv|nsl|mvec|anl|crypt)\.so|ld-linux")
DEPENDS = {
    "libstdc++.so.6": "libstdc++6",
    "libgcc_s.so.1": "libgcc-s1",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libgobject-2.0.so.0": "libglib2.0-0",
    "libgio-2.0.so.0": "libglib2.0-0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libexpat.so.1": "libexpat1",
    "libX11.so.6": "libx11-6",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libXext.so.6": "libxext6",
    "libxcb.so.1": "libxcb1",
}
"""What has to be there for the window to open on X11."""
RECOMMENDS = {
    "libwayland-client.so.0": "libwayland-client0",
    "libwayland-cursor.so.0": "libwayland-cursor0",
    "libwayland-egl.so.1": "libwayland-egl1",
    "libgtk-3.so.0": "libgtk-3-0",
    "libgdk-3.so.0": "libgtk-3-0",
    "libgdk_pixbuf-2.0.so.0": "libgtk-3-0",
    "libpango-1.0.so.0": "libgtk-3-0",
    "libpangocairo-1.0.so.0": "libgtk-3-0",
    "libatk-1.0.so.0": "libgtk-3-0",
    "libcairo.so.2": "libgtk-3-0",
    "libcairo-gobject.so.2": "libgtk-3-0",
    "libharfbuzz.so.0": "libgtk-3-0",
}
"""Of parts that Qt loads only where they fit: Wayland, and GTK's theme with its file dialogs."""


def is_elf(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


@lru_cache
def elf_files(bundle: Path) -> tuple[Path, ...]:
    return tuple(path for path in sorted(bundle.rglob("*")) if is_elf(path))


def needed_sonames(bundle: Path) -> dict[str, list[str]]:
    """Libraries that are named by files of the bundle and not part of it, with the files that name them."""
    inside = {path.name for path in bundle.rglob("*.so*")}
    needed: dict[str, list[str]] = {}
    for path in elf_files(bundle):
        for name in re.findall(r"NEEDED\s+(\S+)", _objdump("-p", path)):
            if name not in inside and not GLIBC.match(name):
                needed.setdefault(name, []).append(str(path.relative_to(bundle)))
    return needed


def glibc_version(bundle: Path) -> str:
    """The newest glibc whose functions the bundle calls, as 2.34: older systems can't run it."""
    versions = {
        tuple(int(part) for part in version.split("."))
        for path in elf_files(bundle)
        for version in re.findall(r"\bGLIBC_(\d+\.\d+)", _objdump("-p", path))
    }
    return ".".join(str(part) for part in max(versions))


def packages(bundle: Path) -> tuple[list[str], list[str]]:
    """Depends and Recommends. Raises SystemExit for a library that no package is known for."""
    needed = needed_sonames(bundle)
    unknown = {name: users for name, users in needed.items() if name not in DEPENDS and name not in RECOMMENDS}
    if unknown:
        lines = [f"  {name}, needed by {', '.join(users[:3])}" for name, users in sorted(unknown.items())]
        raise SystemExit("Neither in the bundle nor in a package that ours depends on:\n" + "\n".join(lines))
    depends = {DEPENDS[name] for name in needed if name in DEPENDS}
    recommends = {RECOMMENDS[name] for name in needed if name in RECOMMENDS}
    return [f"libc6 (>= {glibc_version(bundle)})", *sorted(depends)], sorted(recommends)


def _objdump(option: str, path: Path) -> str:
    return subprocess.run(["objdump", option, str(path)], capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    needs, helped_by = packages(Path(sys.argv[1]))
    print("Depends:", ", ".join(needs))
    print("Recommends:", ", ".join(helped_by))
