"""Renders the program's icons from their SVG files: PNG in all sizes, .ico for Windows, .icns for macOS.

    python packaging/icons.py png FOLDER    hicolor/SIZExSIZE/apps/model-workbench.png and the icon of .gguf files
    python packaging/icons.py ico FILE.ico
    python packaging/icons.py icns FILE.icns

Needs PySide6 and no display.
"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

os.environ["QT_QPA_PLATFORM"] = "offscreen"

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, Qt
from PySide6.QtGui import QGuiApplication, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

RESOURCES = Path(__file__).resolve().parent.parent / "resources"
PROGRAM = RESOURCES / "icons" / "workbench.svg"
FILE_TYPE = RESOURCES / "desktop" / "gguf-file.svg"
PNG_SIZES = (16, 22, 24, 32, 48, 64, 96, 128, 256, 512)
ICO_SIZES = (16, 20, 24, 32, 40, 48, 64, 128, 256)
ICNS_KINDS = {"icp4": 16, "icp5": 32, "icp6": 64, "ic07": 128, "ic08": 256, "ic09": 512, "ic10": 1024}
"""Apple's four-letter codes of PNG images, and their width in pixels."""


def png(svg: Path, size: int) -> bytes:
    """The picture as PNG, `size` pixels wide and high."""
    renderer = QSvgRenderer(str(svg))
    if not renderer.isValid():
        raise SystemExit(f"{svg} is not a picture that Qt can read")
    image = QImage(size, size, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    renderer.render(painter)
    painter.end()
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return bytes(data.data())


def write_hicolor(folder: Path) -> None:
    """A tree for /usr/share/icons: the program's icon and that of its files, the drawings themselves included."""
    for group, name, svg in (("apps", "model-workbench", PROGRAM), ("mimetypes", "application-x-gguf", FILE_TYPE)):
        for size in PNG_SIZES:
            _write(folder / "hicolor" / f"{size}x{size}" / group / f"{name}.png", png(svg, size))
        _write(folder / "hicolor" / "scalable" / group / f"{name}.svg", svg.read_bytes())


def ico() -> bytes:
    """All sizes in one file, each as PNG (Windows Vista and later)."""
    images = [(size, png(PROGRAM, size)) for size in ICO_SIZES]
    offset = 6 + 16 * len(images)
    head = struct.pack("<HHH", 0, 1, len(images))
    for size, data in images:
        width = size % 256  # 0 stands for 256
        head += struct.pack("<BBBBHHII", width, width, 0, 0, 1, 32, len(data), offset)
        offset += len(data)
    return head + b"".join(data for _size, data in images)


def icns() -> bytes:
    chunks = b""
    for kind, size in ICNS_KINDS.items():
        data = png(PROGRAM, size)
        chunks += kind.encode() + struct.pack(">I", len(data) + 8) + data
    return b"icns" + struct.pack(">I", len(chunks) + 8) + chunks


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def main(kind: str, target: Path) -> None:
    app = QGuiApplication.instance() or QGuiApplication(["icons"])
    assert app is not None  # held while pictures are drawn
    if kind == "png":
        write_hicolor(target)
    else:
        _write(target, {"ico": ico, "icns": icns}[kind]())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
