"""The pictures of the help pages, made from the real window: `python -m tests.gallery.help_pictures [NAME…]`.

Each is rendered light and dark, reduced to a palette of 256 colours and written to resources/help/images.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage, qRgb

from tests.gallery.__main__ import THEMES, render
from tests.gallery.compare_scenes import COMPARE_SCENES
from tests.gallery.evaluate_scenes import EVALUATE_SCENES
from tests.gallery.scenes import SCENES, Scene
from workbench.app.main import make_app
from workbench.ui.help.pages import picture

PICTURES = {
    "start": "first-start",
    "chat": "chat-full",
    "models": "models-repository",
    "compare": "compare-voted",
    "evaluate": "evaluate-verdict",
    "evaluate-setup": "evaluate-setup",
    "history": "history-record",
    "settings": "settings-appearance",
    "backup": "settings-backup",
}
"""Picture -> scene of the gallery."""
SIZE = (1120, 700)
COLOURS = 256
Array = NDArray[np.uint8]


def quantised(image: QImage) -> QImage:
    """The image with at most 256 colours of its own: median cut over its colours, each to the nearest of them."""
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    height, width, stride = image.height(), image.width(), image.bytesPerLine()
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(height, stride)[:, : width * 4].reshape(-1, 4)[:, :3]
    colours, where, counts = np.unique(pixels, axis=0, return_inverse=True, return_counts=True)
    palette = _median_cut(colours, counts)
    nearest = np.empty(len(colours), np.uint8)
    for start in range(0, len(colours), 2048):
        part = colours[start : start + 2048].astype(np.int32)
        distances = ((part[:, None, :] - palette[None].astype(np.int32)) ** 2).sum(axis=2)
        nearest[start : start + 2048] = distances.argmin(axis=1)
    result = QImage(width, height, QImage.Format.Format_Indexed8)
    result.setColorTable([qRgb(int(red), int(green), int(blue)) for blue, green, red in palette])
    indices = np.zeros((height, result.bytesPerLine()), np.uint8)
    indices[:, :width] = nearest[where.reshape(-1)].reshape(height, width)
    np.frombuffer(result.bits(), np.uint8)[:] = indices.reshape(-1)
    return result


def _median_cut(colours: Array, counts: NDArray[np.int64]) -> Array:
    """The colours that are used most stand for themselves, the rest are split where they differ most."""
    frequent = np.argsort(counts)[::-1][: COLOURS // 2]
    fixed = colours[frequent]
    rest = np.setdiff1d(np.arange(len(colours)), frequent)
    boxes = [rest] if len(rest) else []
    while boxes and len(boxes) < COLOURS - len(fixed):
        spans = [np.ptp(colours[box].astype(int), axis=0).max() * (len(box) > 1) for box in boxes]
        widest = int(np.argmax(spans))
        if not spans[widest]:
            break
        box = boxes.pop(widest)
        channel = int(np.argmax(np.ptp(colours[box].astype(int), axis=0)))
        ordered = box[np.argsort(colours[box][:, channel], kind="stable")]
        boxes += [ordered[: len(ordered) // 2], ordered[len(ordered) // 2 :]]
    means = [np.average(colours[box], axis=0, weights=counts[box]).round().astype(np.uint8) for box in boxes]
    return np.vstack([fixed, *means]) if means else fixed


def scene_named(name: str) -> Scene:
    every: tuple[Scene, ...] = (*SCENES, *COMPARE_SCENES, *(Scene(*scene) for scene in EVALUATE_SCENES))
    return next(scene for scene in every if scene.name == name)


def main() -> int:
    wanted = sys.argv[1:] or list(PICTURES)
    app: Any = make_app(["gallery"])
    total = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in wanted:
            for theme in THEMES:
                scene = scene_named(PICTURES[name])
                render(app, scene, theme, SIZE, Path(folder))
                target = picture(name, dark=theme == "dark")
                target.parent.mkdir(parents=True, exist_ok=True)
                image = QImage(str(Path(folder) / f"{scene.name}-{theme}-{SIZE[0]}.png"))
                quantised(image).save(str(target), "PNG", 0)  # quality 0: the strongest compression
                total += target.stat().st_size
                print(f"{target.name}: {target.stat().st_size / 1000:.0f} kB", flush=True)
    print(f"{total / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
