"""About: version, licences, the doctor, and a report of a problem."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from PySide6 import QtCore
from PySide6.QtCore import Slot

from workbench import __version__
from workbench.services.licences import Component, components
from workbench.ui.context import Context
from workbench.ui.icons import PushButton
from workbench.ui.settings.doctor import DoctorPanel
from workbench.ui.settings.licences_dialog import LicencesDialog
from workbench.ui.settings.report_dialog import ReportDialog
from workbench.ui.settings.section import SettingsSection, add_row
from workbench.ui.tr import mark, tr

if TYPE_CHECKING:
    from PySide6.QtWidgets import QDialog


class AboutSection(SettingsSection):
    title = mark("About")

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._dialog: QDialog | None = None
        box = self.card()
        add_row(box, "Model Workbench", tr("Version {version}. MIT licence.", version=__version__))
        versions = f"Python {platform.python_version()} · Qt {QtCore.qVersion()} · {platform.platform(terse=True)}"
        add_row(box, tr("Built on"), versions)
        self.licences = PushButton(tr("Show licences"), icon_name="scroll-text")
        self.licences.clicked.connect(self._read_licences)
        hint = tr("Of this program and of everything in it: packages, fonts, icons, llama.cpp and the starter model.")
        add_row(box, tr("Licences"), hint, self.licences)
        self.report = PushButton(tr("Write a report…"), icon_name="file-text")
        self.report.clicked.connect(self.write_report)
        hint = tr("A text file for whoever is to help you. You read and change it before it is saved; nothing is sent.")
        add_row(box, tr("Report a problem"), hint, self.report)
        self.doctor = DoctorPanel(context)
        self.column.addWidget(self.doctor)
        self.column.addStretch(1)

    @Slot()
    def _read_licences(self) -> None:
        self.licences.setEnabled(False)
        self.context.jobs.run(components, self._show_licences, owner=self, key="licences")

    def _show_licences(self, listed: list[Component]) -> None:
        self.licences.setEnabled(True)
        self._dialog = LicencesDialog(listed, self)
        self._dialog.open()

    @Slot()
    def write_report(self) -> None:
        self._dialog = ReportDialog(self.context, self)
        self._dialog.open()
