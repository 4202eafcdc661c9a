"""LaTeX to images by ziamath, in a thread of its own; what is ready is taken over by a timer in the UI thread."""

from __future__ import annotations

import math
import queue
import threading
import warnings
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from PySide6.QtCore import QByteArray, QObject, QRectF, QTimer, Signal, Slot
from PySide6.QtGui import QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

MAX_FORMULAS = 1_000
MAX_LATEX = 4_000
"""Longer sources are shown as they are."""
MAX_PIXELS = 8_000
POLL_MS = 30
IDLE_S = 5.0


class FormulaKey(NamedTuple):
    latex: str
    px: int
    """Size of the font in device-independent pixels."""
    color: str
    display: bool
    ratio: float
    """Device pixels per pixel."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A rendered formula; lengths in device-independent pixels. Without image: it could not be rendered."""

    image: QImage | None
    width: float = 0.0
    ascent: float = 0.0
    """Above the baseline."""
    descent: float = 0.0


FAILED = Formula(None)


@lru_cache(maxsize=1)
def _load_ziamath() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of importlib.resources, in its import
        import ziamath  # noqa: PLC0415 - loads fonts, 0.2 s: only when the first formula is shown

    ziamath.config.svg2 = False  # QtSvg draws no glyphs of SVG 2 files
    return ziamath


def render(key: FormulaKey) -> Formula:
    """Slow (13 ms on average). Never raises."""
    try:
        ziamath = _load_ziamath()
        latex = ziamath.Latex(key.latex, size=key.px, color=key.color, inline=not key.display)
        svg = latex.svg()
        width, height = latex.getsize()
        below = -latex.getyofst()
    except Exception:  # ziamath raises whatever its parsers do on invalid input
        return FAILED
    margin = latex.margin
    box = QRectF(0, 0, width + 2 * margin, height + 2 * margin)
    pixels = (math.ceil(box.width() * key.ratio), math.ceil(box.height() * key.ratio))
    if not all(0 < side <= MAX_PIXELS for side in pixels):
        return FAILED
    image = QImage(*pixels, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(0)
    painter = QPainter(image)
    painter.scale(key.ratio, key.ratio)
    QSvgRenderer(QByteArray(svg.encode())).render(painter, box)
    painter.end()
    image.setDevicePixelRatio(key.ratio)
    return Formula(image, box.width(), height - below + margin, below + margin)


class MathRenderer(QObject):
    """One for the whole window. `ready` tells that at least one asked-for formula has been rendered."""

    ready = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.ratio = 2.0
        self._known: OrderedDict[FormulaKey, Formula] = OrderedDict()
        self._pending: set[FormulaKey] = set()
        self._jobs: queue.SimpleQueue[FormulaKey | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[tuple[FormulaKey, Formula]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._collect)

    @property
    def busy(self) -> bool:
        return bool(self._pending)

    def get(self, latex: str, px: int, color: str, display: bool) -> Formula | None:
        """The formula, or None while it is being rendered. Call in the UI thread."""
        if len(latex) > MAX_LATEX:
            return FAILED
        key = FormulaKey(latex, px, color, display, self.ratio)
        formula = self._known.get(key)
        if formula is not None:
            self._known.move_to_end(key)
            return formula
        if key not in self._pending:
            self._pending.add(key)
            self._jobs.put(key)
            self._ensure_thread()
        return None

    def close(self) -> None:
        """End the thread. Formulas asked for later start it again."""
        self._timer.stop()
        self._pending.clear()
        thread, self._thread = self._thread, None
        if thread is not None and thread.is_alive():
            self._jobs.put(None)
            thread.join(timeout=5)

    def _ensure_thread(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(
                target=_work, args=(self._jobs, self._results), name="math-renderer", daemon=True
            )
            self._thread.start()
        if not self._timer.isActive():
            self._timer.start()

    @Slot()
    def _collect(self) -> None:
        arrived = False
        while True:
            try:
                key, formula = self._results.get_nowait()
            except queue.Empty:
                break
            self._known[key] = formula
            self._pending.discard(key)
            arrived = True
        while len(self._known) > MAX_FORMULAS:
            self._known.popitem(last=False)
        if not self._pending:
            self._timer.stop()
        elif self._thread is not None and not self._thread.is_alive():
            self._ensure_thread()
        if arrived:
            self.ready.emit()


def _work(jobs: queue.SimpleQueue[FormulaKey | None], results: queue.SimpleQueue[tuple[FormulaKey, Formula]]) -> None:
    """Render until None comes or nothing has come for a while."""
    while True:
        try:
            key = jobs.get(timeout=IDLE_S)
        except queue.Empty:
            return
        if key is None:
            return
        results.put((key, render(key)))
