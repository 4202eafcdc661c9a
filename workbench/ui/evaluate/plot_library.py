"""Imports pyqtgraph when the first plot is wanted, in slices: at once it would hold the window up for half a second.

numpy and the standard library's modules that pyqtgraph wants come first, in a worker. What remains uses Qt and has to
be imported on the UI thread (`app.later` says why). pyqtgraph copies every name of Qt's modules, and PySide makes a
class when it is first asked for: they are asked for here, a few in each turn of the event loop.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import logging
import sys
import time
from collections.abc import Callable, Iterator

from PySide6.QtCore import QObject, QTimer, Slot

from workbench.core.errors import ErrorInfo
from workbench.ui.jobs import Jobs
from workbench.ui.tr import tr

_log = logging.getLogger(__name__)
TURN_S = 0.012
"""Of the event loop, at most, but for single modules."""
AHEAD = (
    "numpy",
    "numpy.typing",
    "cProfile",
    "colorama",
    "decimal",
    "importlib.resources",
    "locale",
    "multiprocessing.connection",
    "pydoc",
    "subprocess",
    "sysconfig",
    "xml.etree.ElementTree",
)
QT = ("QtCore", "QtGui", "QtWidgets", "QtSvg", "QtOpenGL", "QtOpenGLWidgets")


class PlotLibrary(QObject):
    """`load` calls back when `workbench.ui.evaluate.plot` can be imported at no cost."""

    loaded = False
    """Of the process, as are the steps: the view that began them may be gone before they end, and another goes on
    where it stopped; a package that is half imported stands in `sys.modules` as if it were whole."""
    _steps: Iterator[None] | None = None

    def __init__(self, jobs: Jobs, parent: QObject) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._done: Callable[[], None] = _nothing
        self._failed: Callable[[ErrorInfo], None] = _ignore
        self._loading = False

    def load(self, done: Callable[[], None], failed: Callable[[ErrorInfo], None]) -> None:
        """Once: calls while it loads do nothing."""
        if PlotLibrary.loaded:
            done()
        elif not self._loading:
            self._loading, self._done, self._failed = True, done, failed
            self._jobs.run(_ahead, self._begin, self._tell, owner=self)

    def _begin(self, problem: Exception | None) -> None:
        if problem is None:
            self._turn()
        else:
            self._give_up(problem)

    def _give_up(self, problem: Exception) -> None:
        """It is tried again when the next plot is wanted."""
        _log.error("Plots can't be drawn", exc_info=problem)
        self._tell(ErrorInfo(kind="plots", message=tr("Plots can't be drawn: {reason}", reason=problem)))

    def _tell(self, error: ErrorInfo) -> None:
        self._loading = False
        self._failed(error)

    @Slot()
    def _turn(self) -> None:
        end = time.perf_counter() + TURN_S
        steps = PlotLibrary._steps = PlotLibrary._steps or _slices()
        try:
            for _ in steps:
                if time.perf_counter() > end:
                    QTimer.singleShot(0, self, self._turn)
                    return
        except Exception as error:  # a library of the system is missing, or a package is damaged
            PlotLibrary._steps = None
            self._give_up(error)
            return
        PlotLibrary.loaded = True
        self._loading = False
        self._done()


def _ahead() -> Exception | None:
    """Why it can't be imported; None: it is."""
    try:
        for name in AHEAD:
            importlib.import_module(name)
    except Exception as problem:  # numpy says by RuntimeError what it lacks in a processor
        return problem
    return None


def _slices() -> Iterator[None]:
    for name in QT:
        module = importlib.import_module(f"PySide6.{name}")
        yield
        for attribute in dir(module):
            getattr(module, attribute)
            yield
    yield from _in_pieces("pyqtgraph")
    importlib.import_module("workbench.ui.evaluate.plot")


def _in_pieces(name: str) -> Iterator[None]:
    """Import a package whose `__init__` imports a hundred modules, one statement of it after the other. Without its
    source (a bundle may have none) at once: about 85 ms."""
    spec = importlib.util.find_spec(name)
    read = getattr(spec.loader, "get_source", None) if spec is not None else None
    source = read(name) if read is not None else None
    if spec is None or not source or name in sys.modules:
        importlib.import_module(name)
        return
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        for statement in ast.parse(source).body:
            exec(compile(ast.Module([statement], []), spec.origin or name, "exec"), vars(module))
            yield
    except BaseException:
        del sys.modules[name]
        raise


def _nothing() -> None:
    """Nobody waits."""


def _ignore(_error: ErrorInfo) -> None:
    """Nobody waits."""
