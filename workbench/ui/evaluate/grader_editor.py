"""One grader of an evaluation with its options."""

from __future__ import annotations

import json

import msgspec
from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QComboBox, QLineEdit, QWidget

from workbench.evaluation.case_files import load_yaml
from workbench.evaluation.spec import GraderSpec
from workbench.ui.evaluate.parts import row
from workbench.ui.icons import IconButton
from workbench.ui.tr import tr

HINTS = {
    "contains": "mode: any",
    "regex": "flags: i, full: true",
    "numeric": "absolute: 0.01, which: last",
    "json_fields": "strict: true, tolerance: 0.01",
    "python_code": "timeout_s: 5",
    "similarity": "threshold: 0.8, model: local:NAME",
    "judge": "model: PROVIDER:MODEL, rubric: …",
}


class GraderEditor(QWidget):
    changed = Signal()
    remove_wanted = Signal(object)

    def __init__(self, spec: GraderSpec, graders: list[tuple[str, str]]) -> None:
        super().__init__()
        self._spec = spec
        self.valid = True
        self.choice = QComboBox()
        self.choice.setAccessibleName(tr("Grader"))
        self.choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.choice.setMinimumContentsLength(20)
        known = graders if any(name == spec.grader for name, _ in graders) else [*graders, (spec.grader, "")]
        for name, title in known:
            self.choice.addItem(f"{name}: {title}" if title else name, name)
        self.choice.setCurrentIndex(self.choice.findData(spec.grader))
        self.options = QLineEdit(_as_text(spec.options))
        self.options.setAccessibleName(tr("Options of the grader"))
        remove = IconButton("x", tr("Remove this grader"))
        remove.clicked.connect(lambda: self.remove_wanted.emit(self))
        line = row(self.choice, self.options, remove, stretch=False)
        line.setStretch(0, 3)
        line.setStretch(1, 2)
        self.setLayout(line)
        self._hint()
        self.choice.activated.connect(self._edited)
        self.options.textChanged.connect(self._edited)

    @property
    def spec(self) -> GraderSpec:
        return self._spec

    @Slot()
    def _edited(self) -> None:
        name = self.choice.currentData()
        try:
            # Typing passes through many texts that are no YAML yet.
            options = load_yaml("{" + self.options.text() + "}", "options") or {}
            self.valid = isinstance(options, dict) and all(isinstance(key, str) for key in options)
        except Exception:
            self.valid = False
        if self.valid:
            self._spec = msgspec.structs.replace(self._spec, grader=name, options=options)
        self.options.setToolTip("" if self.valid else tr("Options are written as name: value, name: value."))
        self._hint()
        self.changed.emit()

    def _hint(self) -> None:
        self.options.setPlaceholderText(HINTS.get(self.choice.currentData(), tr("no options")))


def _as_text(options: dict[str, object]) -> str:
    return ", ".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in options.items())
