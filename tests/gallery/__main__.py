"""Render every screen offscreen, light and dark, in two sizes: `python -m tests.gallery OUT_DIR [FILTER]`."""

from __future__ import annotations

import faulthandler
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QElapsedTimer, QEventLoop
from PySide6.QtWidgets import QApplication

from tests.gallery.compare_scenes import COMPARE_SCENES
from tests.gallery.evaluate_scenes import EVALUATE_SCENES
from tests.gallery.scenes import SCENES, Scene
from workbench.app.main import Program, make_app
from workbench.core.paths import Paths

SIZES = ((1280, 800), (1920, 1080))
THEMES = ("light", "dark")
TIMEOUT_MS = 30_000
STANDSTILL_S = 180
"""For one picture: then all threads' stacks are written and the process ends, so that a standstill tells where."""


def spin(app: QApplication, condition: Callable[[], object], *, at_least_ms: int = 0) -> None:
    """Run the event loop until the condition holds."""
    timer = QElapsedTimer()
    timer.start()
    while timer.elapsed() < at_least_ms or not condition():
        app.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)
        if timer.elapsed() > TIMEOUT_MS:
            raise TimeoutError("the screen did not become ready")


def render(app: QApplication, scene: Scene, theme: str, size: tuple[int, int], out: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WORKBENCH_HOME"] = folder
        os.environ["HF_HOME"] = str(Path(folder) / "hf")
        plugins = Path(folder) / "plugins"
        plugins.mkdir()
        shutil.copy(Path(__file__).parent.parent / "ui" / "fake_models.py", plugins)
        scene.prepare(Path(folder), theme)
        program = Program(app, Paths.of_user(), [])
        program.window.resize(*size)
        program.start()
        program.window.resize(*size)
        spin(app, lambda: program.is_complete)
        spin(app, lambda: program.slot.value is not None or program.window.banner_texts)
        spin(app, lambda: program.jobs.pending == 0, at_least_ms=300)

        def wait(condition: Callable[[], object]) -> None:
            spin(app, condition)

        try:
            scene.show(program, wait)
            spin(app, lambda: scene.stays_busy or program.jobs.pending == 0, at_least_ms=600)
            program.window.grab().save(str(out / f"{scene.name}-{theme}-{size[0]}.png"))
        finally:
            program.close()
            program.window.deleteLater()
            program.deleteLater()
            app.processEvents()


def main() -> int:
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    wanted = sys.argv[2] if len(sys.argv) > 2 else ""
    app = make_app(["gallery"])
    for scene in (*SCENES, *COMPARE_SCENES, *(Scene(*scene) for scene in EVALUATE_SCENES)):
        for theme in THEMES:
            for size in SIZES:
                name = f"{scene.name}-{theme}-{size[0]}"
                if all(part in name for part in wanted.split(",")):
                    faulthandler.dump_traceback_later(STANDSTILL_S, exit=True)
                    render(app, scene, theme, size, out)
                    faulthandler.cancel_dump_traceback_later()
                    print(name, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
