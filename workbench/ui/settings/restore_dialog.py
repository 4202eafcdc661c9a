"""What a backup holds, and the question whether it shall replace everything that is here."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from workbench.services.backup_archive import Manifest
from workbench.ui.formats import date_and_time, number, size_text
from workbench.ui.icons import PushButton, in_scale
from workbench.ui.settings.section import Scrolled, roomy
from workbench.ui.tr import tr
from workbench.ui.widgets import copy_text, label


def model_lines(manifest: Manifest) -> str:
    """The models a backup lists, one a line, with what is needed to fetch the very same file again."""
    lines = []
    for model in manifest.models:
        source = "/".join(part for part in (model.repo, model.filename) if part)
        facts = [source, model.revision and f"@{model.revision}", model.sha256 and f"sha256 {model.sha256}"]
        lines.append("  ".join([model.name or model.id, *(fact for fact in facts if fact)]))
    return "\n".join(lines)


class RestoreDialog(QDialog):
    """Accepted when everything shall be replaced. The backup has been checked before this is shown."""

    def __init__(self, manifest: Manifest, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Restore this backup?"))
        self.setAccessibleName(tr("Restore this backup?"))
        roomy(self, 560, 640)
        self._models = model_lines(manifest)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(20, 18, 12, 16)
        outer.setSpacing(12)
        column = QVBoxLayout()
        column.setContentsMargins(0, 0, 8, 0)
        column.setSpacing(12)
        outer.addWidget(Scrolled(column), 1)
        column.addWidget(label(tr("The backup is complete and undamaged."), "good"))
        column.addLayout(self._facts(manifest))
        if manifest.models:
            column.addWidget(label(tr("Models are not in a backup. These were there when it was made:"), wrap=True))
            view = QPlainTextEdit(self._models)
            view.setObjectName("code")
            view.setReadOnly(True)
            view.setAccessibleName(tr("Models of the backup"))
            view.setFixedHeight(in_scale(96))
            column.addWidget(view)
        if manifest.providers:
            providers = "\n".join(f"{entry.name}: {entry.base_url or '–'}" for entry in manifest.providers)
            warning = tr("It brings these addresses of providers, to which prompts and their keys go. Do you know all?")
            column.addWidget(label(f"{warning}\n{providers}", "warn", wrap=True, selectable=True))
        consequence = tr(
            "Chats, runs, evaluations, presets and settings that are here now are replaced. They are kept beside, and "
            "Settings › Backup can put them back. Keys, models and plugins stay as they are. Answers that are being "
            "written now are stopped, and the window opens anew."
        )
        column.addWidget(label(consequence, wrap=True))
        column.addStretch(1)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 8, 0)
        if manifest.models:
            copy = PushButton(tr("Copy the models"), icon_name="copy")
            copy.setAutoDefault(False)
            copy.clicked.connect(self._copy)
            row.addWidget(copy)
        row.addStretch(1)
        cancel = PushButton(tr("Cancel"))
        cancel.setDefault(True)
        cancel.clicked.connect(self.reject)
        row.addWidget(cancel)
        self.confirm = PushButton(tr("Replace everything"), icon_name="rotate-ccw", object_name="danger")
        self.confirm.setAutoDefault(False)
        self.confirm.clicked.connect(self.accept)
        row.addWidget(self.confirm)
        outer.addLayout(row)

    def _facts(self, manifest: Manifest) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setColumnStretch(1, 1)
        facts = [
            (tr("Made"), date_and_time(manifest.created_at)),
            (tr("By version"), manifest.program),
            (tr("Chats and comparisons"), number(manifest.sessions)),
            (tr("Runs"), number(manifest.runs)),
            (tr("Size"), size_text(manifest.total_bytes)),
        ]
        if manifest.plugins:
            facts.append((tr("Plugins then (not in the backup)"), ", ".join(manifest.plugins)))
        if manifest.left_out:
            facts.append((tr("Settings left out, for they held something secret"), ", ".join(manifest.left_out)))
        for row, (title, value) in enumerate(facts):
            grid.addWidget(label(title, "muted", wrap=True), row, 0)
            grid.addWidget(label(value, wrap=True, selectable=True), row, 1)
        return grid

    @Slot()
    def _copy(self) -> None:
        copy_text(self._models)
