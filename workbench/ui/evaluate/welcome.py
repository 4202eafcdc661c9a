"""What the Evaluate place is for, and ways to begin."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from workbench.ui.evaluate.parts import card, row, scrolled, wrapped
from workbench.ui.icons import PushButton
from workbench.ui.tr import tr
from workbench.ui.widgets import label


class Welcome(QWidget):
    example_wanted = Signal(str)
    new_wanted = Signal()
    import_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        content = QWidget()
        outer.addWidget(scrolled(content))
        sides = QHBoxLayout(content)
        sides.setContentsMargins(24, 32, 24, 24)
        inner = QWidget()
        inner.setMaximumWidth(860)
        sides.addWidget(inner, 1, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(16)
        column.addWidget(label(tr("Can this model replace that API, for your task?"), "hero", wrap=True))
        text = tr(
            "Collect cases from your own work, choose how much worse a replacement may be, and let both answer. The "
            "verdict is one of three: it can replace it, it can't, or there is not enough evidence yet, and then how "
            "many more cases would tell."
        )
        column.addWidget(wrapped(text, "muted"))
        column.addWidget(self._examples())
        column.addWidget(self._own())
        column.addStretch(1)

    def _examples(self) -> QWidget:
        frame, column = card(tr("Try an example"))
        text = tr(
            "The starter model answers on this machine, in a minute or two each, against a recorded baseline (not the "
            "output of any service). Nothing leaves this machine."
        )
        column.addWidget(wrapped(text, "muted"))
        self.example = PushButton(tr("Sort messages"), icon_name="play", primary=True)
        self.example.clicked.connect(lambda: self.example_wanted.emit("triage.yaml"))
        task = tr("64 messages to a shop, into four boxes: a task that is too hard for a very small model.")
        column.addWidget(_example(self.example, task))
        self.constrained = PushButton(tr("Find the year"), icon_name="play")
        self.constrained.clicked.connect(lambda: self.example_wanted.emit("year.yaml"))
        task = tr(
            "200 notes about historical events: asked plainly, and with examples and a grammar that admits only a year."
        )
        column.addWidget(_example(self.constrained, task))
        return frame

    def _own(self) -> QWidget:
        frame, column = card(tr("Your own task"))
        text = tr(
            "Write cases here, or import them from CSV, JSONL, YAML or Excel (a file can also be dropped here). "
            "Evaluation files of “workbench eval” and promptfoo configurations open as well."
        )
        column.addWidget(wrapped(text, "muted"))
        self.new = PushButton(tr("New test set"), icon_name="plus")
        self.new.clicked.connect(self.new_wanted)
        self.open_file = PushButton(tr("Import a file…"), icon_name="folder")
        self.open_file.clicked.connect(self.import_wanted)
        column.addLayout(row(self.new, self.open_file))
        return frame


def _example(button: PushButton, task: str) -> QWidget:
    """A button with what it starts beside it."""
    line = QWidget()
    box = row(button, stretch=False, spacing=12)
    button.setMinimumWidth(150)
    button.setToolTip(task)
    box.addWidget(wrapped(task), 1)
    line.setLayout(box)
    return line
