"""The window's beginning and end: one start after the other, until the user really leaves."""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QApplication

from workbench import __version__
from workbench.app.program import Program
from workbench.app.single_instance import SingleInstance, Start
from workbench.core.paths import Paths

if TYPE_CHECKING:
    from workbench.core.errors import ErrorInfo

__all__ = ["Program", "main", "make_app"]
DESKTOP_ID = "model-workbench"


def finish_restore(paths: Paths) -> str | ErrorInfo:
    """Go on with a restore that was killed half-way, before anything is opened. Returns what the user should know."""
    if not (paths.data / "restore-pending.json").exists():  # its module is not imported just to find out
        return ""
    from workbench.core.errors import WorkbenchError  # noqa: PLC0415 - not before the first paint, but here
    from workbench.ui.tr import tr  # noqa: PLC0415

    try:
        importlib.import_module("workbench.services.backup_restore").finish(paths)
    except WorkbenchError as error:
        return error.info
    return tr("The restore that was interrupted is finished now.")


def make_app(arguments: list[str]) -> QApplication:
    kind: type[QApplication] = QApplication
    if sys.platform == "darwin":
        kind = importlib.import_module("workbench.app.opened_files").FileOpeningApplication
    kind.setStyle("Fusion")  # before there is an application, or it makes the platform's style first
    app = kind(arguments)
    app.setApplicationName("Model Workbench")
    app.setApplicationVersion(__version__)
    app.setDesktopFileName(DESKTOP_ID)
    return app


def main(argv: list[str]) -> int:
    """Open the window. `argv` are model files to chat with. Returns the exit code."""
    os.environ.setdefault("QT_ENABLE_HIGHDPI_SCALING", "1")
    paths = Paths.of_user()
    instance = SingleInstance(paths)
    began = instance.begin(argv)
    if began is Start.HANDED_OVER:
        print("Model Workbench is open already; its window was raised.", file=sys.stderr)  # noqa: T201
        return 0
    app = make_app(["workbench"])
    code, problems, news = 0, list[str](), finish_restore(paths)
    while True:
        program = Program(app, paths, argv, instance)
        program.tell_news(news)
        if problems:
            program.tell_left_over(problems)
        if began is Start.NO_ANSWER:
            print("Another window of Model Workbench does not answer; opening one more.", file=sys.stderr)  # noqa: T201
            program.tell_unanswered()
        if sys.platform == "darwin":
            app.file_opened.connect(program.start_again)  # type: ignore[attr-defined,unused-ignore]
        program.start()
        code = app.exec()
        if not program.begins_anew:
            instance.close()
        program.close()
        if not program.begins_anew:
            break
        argv, problems = [], program.problems
        news = program.news or finish_restore(paths)
        if sys.platform == "darwin":
            app.file_opened.disconnect(program.start_again)  # type: ignore[attr-defined,unused-ignore]
        program.dispose()
    instance.release()
    return code
