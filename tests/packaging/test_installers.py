"""The installers' parts: what the desktop is told, icons, the .deb of a small stand-in for the bundle, user install.

The real package is proved by packaging/linux/verify, which takes minutes and root.
"""

from __future__ import annotations

import configparser
import os
import re
import shutil
import struct
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

import workbench
from workbench.core.gguf import MAGIC
from workbench.core.paths import APP
from workbench.engine.client import default_command

ROOT = Path(__file__).resolve().parents[2]
DESKTOP = ROOT / "resources" / "desktop"
LINUX = ROOT / "packaging" / "linux"
MIME_TYPE = "application/x-gguf"
WITHOUT_QT = os.environ.get("WORKBENCH_TEST_WITHOUT_QT")

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="about Linux packages")


def needs(*programs: str) -> pytest.MarkDecorator:
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """packaging/linux/package.py as a module."""
    monkeypatch.syspath_prepend(str(LINUX))
    import package as module

    yield module
    for name in ("package", "system_libraries"):
        sys.modules.pop(name, None)


@pytest.fixture
def icons(tmp_path: Path) -> Path:
    folder = tmp_path / "icons"
    for group, name in (("apps", APP), ("mimetypes", "application-x-gguf")):
        picture = folder / "hicolor" / "48x48" / group / f"{name}.png"
        picture.parent.mkdir(parents=True)
        picture.write_bytes(b"png")
    return folder


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A program where the real bundle has one, and llama.cpp's library under its three names."""
    folder = tmp_path / "bundle"
    libraries = folder / "_internal" / "llama_cpp" / "lib"
    libraries.mkdir(parents=True)
    for name in ("libllama.so", "libllama.so.0"):
        (libraries / name).write_bytes(b"the same")
    (libraries / "libother.so").write_bytes(b"another")
    shutil.copy("/bin/true", folder / "workbench")
    metadata = folder / "_internal" / "msgspec-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: msgspec\nVersion: 1.0\nLicense: BSD-3-Clause\n")
    return folder


# --- what the desktop is told ------------------------------------------------------------------------------------
def menu_entry() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DESKTOP / f"{APP}.desktop", encoding="utf-8")
    return parser["Desktop Entry"]


def test_the_menu_entry_is_the_one_the_window_names() -> None:
    if WITHOUT_QT:
        pytest.skip("this run is without Qt")
    from workbench.app.main import DESKTOP_ID

    assert (DESKTOP / f"{DESKTOP_ID}.desktop").is_file()
    assert menu_entry()["Icon"] == DESKTOP_ID


def test_the_menu_entry_hands_files_over() -> None:
    entry = menu_entry()
    assert entry["Exec"] == "workbench %F"
    assert MIME_TYPE in entry["MimeType"].split(";")


@linux_only
@needs("desktop-file-validate")
def test_the_menu_entry_is_valid() -> None:
    done = subprocess.run(["desktop-file-validate", DESKTOP / f"{APP}.desktop"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@linux_only
@needs("appstreamcli")
def test_the_description_for_software_centres_is_valid() -> None:
    (path,) = DESKTOP.glob("*.metainfo.xml")
    done = subprocess.run(["appstreamcli", "validate", "--no-net", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_description_names_this_version() -> None:
    (path,) = DESKTOP.glob("*.metainfo.xml")
    root = ElementTree.parse(path).getroot()
    assert root.findtext("id") == path.name.removesuffix(".metainfo.xml")
    assert next(release.get("version") for release in root.iter("release")) == workbench.__version__
    assert root.findtext("launchable") == f"{APP}.desktop"
    assert root.findtext("provides/mediatype") == MIME_TYPE


def test_model_files_are_known_by_name_and_by_their_first_bytes() -> None:
    space = {"mime": "http://www.freedesktop.org/standards/shared-mime-info"}
    kind = ElementTree.parse(DESKTOP / "model-workbench-mime.xml").getroot().find("mime:mime-type", space)
    assert kind is not None and kind.get("type") == MIME_TYPE
    glob, match = kind.find("mime:glob", space), kind.find("mime:magic/mime:match", space)
    assert glob is not None and glob.get("pattern") == "*.gguf"
    assert match is not None and (match.get("offset"), match.get("value")) == ("0", "GGUF")
    assert (MAGIC if isinstance(MAGIC, bytes) else struct.pack("<I", MAGIC)) == b"GGUF"


# --- icons -------------------------------------------------------------------------------------------------------
def render(kind: str, target: Path) -> None:
    if WITHOUT_QT:
        pytest.skip("this run is without Qt")
    subprocess.run([sys.executable, ROOT / "packaging" / "icons.py", kind, target], check=True, timeout=120)


def test_icons_are_drawn_in_all_sizes(tmp_path: Path) -> None:
    render("png", tmp_path)
    for group, name in (("apps", APP), ("mimetypes", "application-x-gguf")):
        sizes = set()
        for picture in tmp_path.glob(f"hicolor/*/{group}/{name}.png"):
            data = picture.read_bytes()
            assert data.startswith(b"\x89PNG")
            width, height = struct.unpack(">II", data[16:24])
            assert picture.parent.parent.name == f"{width}x{height}"
            sizes.add(width)
        assert {16, 24, 32, 48, 64, 128, 256, 512} <= sizes
        assert (tmp_path / "hicolor" / "scalable" / group / f"{name}.svg").is_file()


def test_the_icon_for_windows_holds_what_its_index_says(tmp_path: Path) -> None:
    render("ico", tmp_path / "a.ico")
    data = (tmp_path / "a.ico").read_bytes()
    kind, count = struct.unpack("<HH", data[2:6])
    assert (kind, count) == (1, 9)
    for number in range(count):
        width, _h, _c, _r, _p, _b, size, offset = struct.unpack("<BBBBHHII", data[6 + 16 * number : 22 + 16 * number])
        image = data[offset : offset + size]
        assert image.startswith(b"\x89PNG")
        assert struct.unpack(">I", image[16:20])[0] == (width or 256)


def test_the_icon_for_macos_is_whole(tmp_path: Path) -> None:
    render("icns", tmp_path / "a.icns")
    data = (tmp_path / "a.icns").read_bytes()
    assert data[:4] == b"icns"
    assert struct.unpack(">I", data[4:8])[0] == len(data)
    position, kinds = 8, []
    while position < len(data):
        kinds.append(data[position : position + 4])
        position += struct.unpack(">I", data[position + 4 : position + 8])[0]
    assert position == len(data)
    assert b"ic10" in kinds


# --- the Debian package ------------------------------------------------------------------------------------------
@linux_only
@needs("dpkg-deb", "objdump")
def test_the_package_holds_the_program_the_menu_entry_and_what_it_needs(
    package: ModuleType, bundle: Path, icons: Path, tmp_path: Path
) -> None:
    package.share_one_library(bundle)
    (tmp_path / "work").mkdir()
    deb = package.make_deb(bundle, icons, tmp_path, tmp_path / "work", "1.2.3", True)
    fields = subprocess.check_output(["dpkg-deb", "-f", deb], text=True)
    assert "Package: model-workbench\nVersion: 1.2.3\n" in fields
    assert re.search(r"^Depends: libc6 \(>= 2\.\d+\)$", fields, re.MULTILINE)
    tree = tmp_path / "unpacked"
    subprocess.run(["dpkg-deb", "-x", deb, tree], check=True)
    assert (tree / "usr/bin/workbench").readlink() == Path("../lib/model-workbench/workbench")
    assert os.access(tree / "usr/bin/workbench", os.X_OK)
    assert (tree / "usr/lib/model-workbench/_internal/llama_cpp/lib/libllama.so").read_bytes() == b"the same"
    for path in (
        "applications/model-workbench.desktop",
        "metainfo/local.model_workbench.workbench.metainfo.xml",
        "mime/packages/model-workbench.xml",
        "icons/hicolor/48x48/mimetypes/application-x-gguf.png",
        "man/man1/workbench.1.gz",
        "doc/model-workbench/changelog.Debian.gz",
    ):
        assert (tree / "usr/share" / path).is_file(), path
    terms = (tree / "usr/share/doc/model-workbench/copyright").read_text()
    assert "msgspec 1.0: BSD-3-Clause" in terms
    assert "License: MIT" in terms
    scripts = subprocess.check_output(["dpkg-deb", "--ctrl-tarfile", deb])
    assert b"postrm" not in scripts, "nothing of ours runs at removal, so nothing can touch the user's data"


def test_libraries_that_are_the_same_become_one(package: ModuleType, bundle: Path) -> None:
    package.share_one_library(bundle)
    folder = bundle / "_internal" / "llama_cpp" / "lib"
    assert (folder / "libllama.so").readlink() == Path("libllama.so.0")
    assert not (folder / "libother.so").is_symlink()
    package.share_one_library(bundle)  # a second time changes nothing
    assert (folder / "libllama.so").readlink() == Path("libllama.so.0")


@linux_only
@needs("objdump", "cc")
def test_a_library_that_no_package_is_known_for_stops_the_build(
    package: ModuleType, bundle: Path, tmp_path: Path
) -> None:
    source = tmp_path / "a.c"
    source.write_text("int a(void) { return 1; }\n")
    strange, user = tmp_path / "libstrange.so.3", bundle / "_internal" / "module.so"
    subprocess.run(["cc", "-shared", "-fPIC", f"-Wl,-soname,{strange.name}", "-o", strange, source], check=True)
    subprocess.run(["cc", "-shared", "-fPIC", "-Wl,--no-as-needed", "-o", user, source, strange], check=True)
    import system_libraries

    with pytest.raises(SystemExit, match=r"libstrange\.so\.3, needed by _internal/module\.so"):
        system_libraries.packages(bundle)
    shutil.copy(strange, bundle / "_internal" / strange.name)
    system_libraries.elf_files.cache_clear()
    assert system_libraries.packages(bundle)[1] == []


# --- the archive for one user ------------------------------------------------------------------------------------
@linux_only
def test_the_archive_installs_for_one_user_and_leaves_no_trace_but_the_data(
    package: ModuleType, bundle: Path, icons: Path, tmp_path: Path
) -> None:
    archive = package.make_tar(bundle, icons, tmp_path, "1.2.3")
    home = tmp_path / "Jo's home"
    home.mkdir()
    with tarfile.open(archive) as file:
        file.extractall(home, filter="data")
    folder = home / "model-workbench-1.2.3"
    chat = home / ".local/share/model-workbench/workbench.db"
    chat.parent.mkdir(parents=True)
    chat.write_text("chats")
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    subprocess.run([folder / "install"], env=environment, check=True, timeout=60)
    entry = (home / ".local/share/applications/model-workbench.desktop").read_text()
    assert f'Exec="{folder}/workbench" %F' in entry
    assert (home / ".local/share/icons/hicolor/48x48/apps/model-workbench.png").is_file()
    subprocess.run([home / ".local/bin/workbench"], env=environment, check=True, timeout=60)
    subprocess.run([folder / "uninstall"], env=environment, check=True, timeout=60)
    left = [path for path in (home / ".local").rglob("*") if "gguf" in path.name or "workbench" in path.name]
    assert sorted(left) == [chat.parent, chat]
    assert chat.read_text() == "chats"


# --- recipes ---------------------------------------------------------------------------------------------------
@linux_only
@pytest.mark.parametrize(
    "script",
    [
        "linux/build",
        "linux/verify",
        "linux/user-install",
        "linux/user-uninstall",
        "macos/build",
        "macos/make_dmg",
    ],
)
def test_scripts_can_be_read_by_their_shell(script: str) -> None:
    path = ROOT / "packaging" / script
    assert os.access(path, os.X_OK)
    shell = path.read_text(encoding="utf-8").splitlines()[0].rpartition("/")[2].split()[-1]
    subprocess.run([shell, "-n", path], check=True)


def test_the_recipe_is_python() -> None:
    path = ROOT / "packaging" / "workbench.spec"
    compile(path.read_text(encoding="utf-8"), str(path), "exec")


def test_windows_is_told_four_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "packaging" / "windows"))
    import version_info

    text = version_info.version_info("1.2.3+4")
    assert "filevers=(1, 2, 3, 0)" in text
    assert '"ProductVersion", "1.2.3+4"' in text
    compile(text, "version_info", "eval")


@pytest.mark.parametrize("path", ["windows/build.ps1", "windows/workbench.iss", "macos/build", "macos/make_dmg"])
def test_recipes_that_were_never_run_say_so(path: str) -> None:
    text = (ROOT / "packaging" / path).read_text(encoding="utf-8")
    assert "NOT YET RUN" in "\n".join(text.splitlines()[:3])


# --- the installed program is its own Python ----------------------------------------------------------------------
def test_code_can_be_run_by_the_program_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "workbench", "--python-code", "print(__name__)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "__main__\n"


@pytest.mark.parametrize("name", ["workbench.exe", "workbench-gui.exe"])
def test_the_engine_is_started_by_the_program_with_streams(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Windows has one program for consoles and one for windows; the engine talks through its streams."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / name))
    assert default_command() == [str(tmp_path / "workbench.exe"), "--engine-worker"]


def test_the_window_of_the_mac_program_is_no_background_process() -> None:
    assert '"LSBackgroundOnly": False' in (ROOT / "packaging" / "workbench.spec").read_text(encoding="utf-8")
