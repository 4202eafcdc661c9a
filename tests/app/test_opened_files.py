"""On macOS the Finder names files in an event."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
from PySide6.QtCore import QCoreApplication, QEvent, QUrl
from PySide6.QtGui import QFileOpenEvent
from workbench.app.opened_files import FileOpeningApplication
app = FileOpeningApplication([])
app.file_opened.connect(lambda files: print(*files))
QCoreApplication.sendEvent(app, QFileOpenEvent(QUrl.fromLocalFile("/tmp/my model.gguf")))
QCoreApplication.sendEvent(app, QFileOpenEvent(QUrl("https://example.org/a.gguf")))
QCoreApplication.sendEvent(app, QEvent(QEvent.Type.User))
"""


def test_a_file_that_the_finder_opens_is_told() -> None:
    """In a process of its own, since an application can't be made twice in one."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "/tmp/my model.gguf\n"
