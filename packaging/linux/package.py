"""Makes the .deb and the .tar.gz of a bundle.

    python packaging/linux/package.py BUNDLE ICONS OUTPUT [--version VERSION] [--fast]

--fast compresses little: for trying an upgrade out. Needs dpkg-deb; root is not needed.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.metadata
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from email.utils import formatdate
from pathlib import Path

from system_libraries import packages

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = Path(__file__).resolve().parent
DESKTOP = ROOT / "resources" / "desktop"
NAME = "model-workbench"
MAINTAINER = "{} <{}>".format(
    os.environ.get("DEBFULLNAME", "The Model Workbench developers"),
    os.environ.get("DEBEMAIL", "maintainers@model-workbench.invalid"),
)
"""Who answers for the package: Debian's usual variables. Without them an address that says that there is none."""
HOMEPAGE = os.environ.get("WORKBENCH_HOMEPAGE", "")
METAINFO = "local.model_workbench.workbench.metainfo.xml"
"""AppStream wants a reversed domain. The project has none, and a made-up one may become somebody's: hence `local`."""
RECOMMENDS = (
    "fonts-dejavu-core | fonts-noto-core",
    "gnome-keyring | kwalletmanager | keepassxc",
    "xkb-data",
    "xdg-utils",
)
SUGGESTS = ("fonts-noto-cjk", "xdg-desktop-portal")
DESCRIPTION = """\
run, compare and judge local and closed language models
 Find out, on your own machine, whether an open model can do what you pay a
 closed API for, and then use it. Runs GGUF models with llama.cpp, chats, puts
 the same prompt to several models and keeps every run in one SQLite file.
 .
 A small starter model is included; nothing is downloaded unasked.
"""
EPOCH = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("bundle", type=Path)
    parser.add_argument("icons", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--version", default=importlib.metadata.version(NAME))
    parser.add_argument("--fast", action="store_true")
    wanted = parser.parse_args()
    share_one_library(wanted.bundle)
    wanted.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="workbench-deb-", dir=wanted.bundle.parent) as folder:
        print(make_deb(wanted.bundle, wanted.icons, wanted.output, Path(folder), wanted.version, wanted.fast))
    if not wanted.fast:
        print(make_tar(wanted.bundle, wanted.icons, wanted.output, wanted.version))


def share_one_library(bundle: Path) -> None:
    """The wheel of llama.cpp holds each library under several names; all but one become links."""
    for path in bundle.glob("_internal/llama_cpp/lib/lib*.so"):
        versioned = path.with_name(f"{path.name}.0")
        if versioned.is_file() and not path.is_symlink() and path.read_bytes() == versioned.read_bytes():
            path.unlink()
            path.symlink_to(versioned.name)


# --- the tree below /usr -----------------------------------------------------------------------------------------
def stage(bundle: Path, icons: Path, usr: Path, version: str) -> None:
    """Everything that Debian's package installs, with its permissions."""
    program = usr / "lib" / NAME
    shutil.copytree(bundle, program, symlinks=True)
    (usr / "bin").mkdir()
    (usr / "bin" / "workbench").symlink_to(f"../lib/{NAME}/workbench")
    desktop_files(usr / "share", icons)
    man = usr / "share" / "man" / "man1" / "workbench.1.gz"
    man.parent.mkdir(parents=True)
    man.write_bytes(_gzip((DESKTOP / "workbench.1").read_text(encoding="utf-8")))
    documents = usr / "share" / "doc" / NAME
    documents.mkdir(parents=True)
    (documents / "copyright").write_text(copyright_text(bundle), encoding="utf-8")
    (documents / "changelog.gz").write_bytes(_gzip((ROOT / "CHANGELOG.md").read_text(encoding="utf-8")))
    (documents / "changelog.Debian.gz").write_bytes(_gzip(debian_changelog(version)))
    overrides = usr / "share" / "lintian" / "overrides" / NAME
    overrides.parent.mkdir(parents=True)
    shutil.copyfile(HERE / "lintian-overrides", overrides)


def desktop_files(share: Path, icons: Path) -> None:
    """Menu entry, icons, file type and description for software centres, below a share folder."""
    for name, folder in (
        (f"{NAME}.desktop", "applications"),
        (METAINFO, "metainfo"),
    ):
        (share / folder).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(DESKTOP / name, share / folder / name)
    mime = share / "mime" / "packages" / f"{NAME}.xml"
    mime.parent.mkdir(parents=True)
    shutil.copyfile(DESKTOP / "model-workbench-mime.xml", mime)
    shutil.copytree(icons, share / "icons", copy_function=shutil.copyfile)


def copyright_text(bundle: Path) -> str:
    """Debian's copyright file: our licence, and by name each package inside, whose own texts lie beside it."""
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    body = "\n".join(f" {line}" if line.strip() else " ." for line in licence.splitlines()[2:])
    inside = []
    for folder in sorted(bundle.glob("_internal/*.dist-info")):
        metadata = importlib.metadata.Distribution.at(folder).metadata
        terms = metadata.get("License-Expression") or (metadata.get("License") or "").split("\n")[0]
        if not terms:
            found = [line for line in metadata.get_all("Classifier") or [] if line.startswith("License ::")]
            terms = found[0].rpartition("::")[2].strip() if found else "see its folder"
        inside.append(f"  {metadata['Name']} {metadata['Version']}: {terms}")
    return "\n".join(
        [
            "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/",
            "Upstream-Name: Model Workbench",
            *([f"Source: {HOMEPAGE}"] if HOMEPAGE else []),
            "Comment:",
            " The bundle holds Python (PSF-2.0), Qt (LGPL-3.0, replaceable files in",
            f" /usr/lib/{NAME}/_internal/PySide6/Qt/lib), llama.cpp (MIT) and these",
            f" packages, whose licence texts lie in /usr/lib/{NAME}/_internal/*.dist-info:",
            *inside,
            "",
            "Files: *",
            "Copyright: 2026 The Model Workbench developers",
            "License: MIT",
            body,
            "",
        ]
    )


def debian_changelog(version: str) -> str:
    date = formatdate(EPOCH)
    return f"{NAME} ({version}) unstable; urgency=medium\n\n  * Version {version}.\n\n -- {MAINTAINER}  {date}\n"


# --- the packages ------------------------------------------------------------------------------------------------
def make_deb(bundle: Path, icons: Path, output: Path, work: Path, version: str, fast: bool) -> Path:
    architecture = subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
    ).stdout.strip()
    tree = work / "tree"
    (tree / "usr").mkdir(parents=True)
    stage(bundle, icons, tree / "usr", version)
    _set_modes(tree)
    depends, recommends = packages(bundle)
    size_kib = sum(-(-path.lstat().st_size // 1024) for path in tree.rglob("*") if not path.is_dir())
    control = tree / "DEBIAN"
    control.mkdir()
    fields = {
        "Package": NAME,
        "Version": version,
        "Architecture": architecture,
        "Maintainer": MAINTAINER,
        "Installed-Size": str(size_kib),
        "Depends": ", ".join(depends),
        "Recommends": ", ".join([*RECOMMENDS, *recommends]),
        "Suggests": ", ".join(SUGGESTS),
        "Section": "science",
        "Priority": "optional",
        "Homepage": HOMEPAGE,
        "Description": DESCRIPTION.rstrip(),
    }
    lines = [f"{name}: {value}" for name, value in fields.items() if value]
    (control / "control").write_text("\n".join([*lines, ""]), encoding="utf-8")
    sums = subprocess.run(
        "find usr -type f -print0 | sort -z | xargs -0 md5sum", shell=True, cwd=tree, capture_output=True
    )
    (control / "md5sums").write_bytes(sums.stdout)
    _set_modes(control)
    target = output / f"{NAME}_{version}_{architecture}.deb"
    compression = ["-Zgzip", "-z1"] if fast else ["-Zxz", "-z6", "--threads-max=2"]
    subprocess.run(["dpkg-deb", "--root-owner-group", *compression, "--build", str(tree), str(target)], check=True)
    return target


def make_tar(bundle: Path, icons: Path, output: Path, version: str) -> Path:
    """One folder that runs from anywhere; its script `install` puts it into the menu of one user."""
    name = f"{NAME}-{version}"
    target = output / f"{name}-linux-{os.uname().machine}.tar.gz"
    with tempfile.TemporaryDirectory(prefix="workbench-tar-", dir=bundle.parent) as folder:
        share = Path(folder) / "share"
        desktop_files(share, icons)
        for script in ("install", "uninstall"):
            shutil.copyfile(HERE / f"user-{script}", Path(folder) / script)
        shutil.copyfile(ROOT / "LICENSE", Path(folder) / "LICENSE")
        _set_modes(Path(folder))
        with tarfile.open(target, "w:gz", compresslevel=6) as archive:
            archive.add(bundle, name, filter=_as_root)
            for entry in sorted(Path(folder).iterdir()):
                archive.add(entry, f"{name}/{entry.name}", filter=_as_root)
    return target


# --- details -----------------------------------------------------------------------------------------------------
def _as_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry


def _set_modes(tree: Path) -> None:
    for path in [tree, *tree.rglob("*")]:
        if path.is_symlink():
            continue
        programs = path.name in {"workbench", "install", "uninstall"} and path.is_file()
        path.chmod(0o755 if path.is_dir() or programs else 0o644)


def _gzip(text: str) -> bytes:
    return gzip.compress(text.encode(), 9, mtime=0)


if __name__ == "__main__":
    main()
