"""Every control of every screen has a role and a name, as a screen reader gets them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QDialog,
    QHeaderView,
    QLineEdit,
    QPlainTextEdit,
    QProgressBar,
    QScrollBar,
    QTabBar,
    QTableView,
    QTextEdit,
    QVBoxLayout,
    QWidget,
)

from tests.accessibility.walk import every_screen
from tests.core.gguf_bytes import gguf_file
from tests.ui.driver import Driver
from tests.ui.watchdog import Watchdog
from workbench.core.gguf import parse_header
from workbench.core.requests import LoadOptions
from workbench.evaluation.cases import TestCase
from workbench.services.backup_archive import FORMAT, VERSION, BackupModel, BackupProvider, Manifest
from workbench.services.licences import Component
from workbench.services.model_files import FoundModel
from workbench.services.model_removal import Removal
from workbench.ui.compare.diff_dialog import DiffDialog, DiffText
from workbench.ui.compare.tally_dialog import TallyDialog
from workbench.ui.dialogs import CrashDialog, TextDialog
from workbench.ui.evaluate.add_to_set import AddToSetDialog
from workbench.ui.evaluate.case_dialog import CaseDialog
from workbench.ui.models.defaults import DefaultsDialog
from workbench.ui.models.gated import GatedPanel
from workbench.ui.models.inspector import InspectDialog
from workbench.ui.models.removal_dialog import RemovalDialog
from workbench.ui.settings.erase_dialog import EraseDialog
from workbench.ui.settings.licences_dialog import LicencesDialog
from workbench.ui.settings.providers import ProviderDialog
from workbench.ui.settings.report_dialog import ReportDialog
from workbench.ui.settings.restore_dialog import RestoreDialog

CONTROLS = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QProgressBar,
    QTabBar,
    QTextEdit,
)


def inside_qt(widget: QWidget) -> bool:
    """What Qt itself puts into a line edit, combo box, spin box or table: the keyboard does not go there."""
    parent = widget.parentWidget()
    above = parent.parentWidget() if parent is not None else None
    if isinstance(widget, QScrollBar | QHeaderView) or widget.objectName().startswith("qt_"):
        return True
    return isinstance(parent, QLineEdit | QComboBox | QTableView | QAbstractSpinBox) or isinstance(above, QComboBox)


def nameless(root: QWidget) -> list[str]:
    found = []
    for widget in root.findChildren(QWidget):
        if not isinstance(widget, CONTROLS) or inside_qt(widget):
            continue
        interface = QAccessible.queryAccessibleInterface(widget)
        name = interface.text(QAccessible.Text.Name).strip() if interface is not None else ""
        if interface is None or not name or interface.role() == QAccessible.Role.NoRole:
            parent = widget.parentWidget()
            found.append(f"{type(widget).__name__} {widget.objectName()} in {type(parent).__name__}")
    return found


def test_every_control_of_every_screen_has_a_name(window: Driver, watchdog: Watchdog) -> None:
    watchdog.cpu_limit_s = 1.0  # all places are built in one go
    window.send("hello")
    panel = window.page.side_panel
    window.wait(lambda: panel.load_section is not None)
    for section, _build in list(panel._waiting):
        section.button.click()
    panel.sampling.more.button.click()
    _ = window.window.command_palette, window.page.picker
    problems = {name: nameless(page) for name, page in every_screen(window)}
    problems["window"] = nameless(window.window)
    assert {name: found for name, found in problems.items() if found} == {}


HEADER = parse_header(gguf_file({"general.architecture": "llama"}, [("output.weight", (32, 4), 0, 512)]))
BACKUP = Manifest(
    format=FORMAT,
    version=VERSION,
    models=(BackupModel(id="local:echo", name="Echo 8B"),),
    providers=(BackupProvider(name="own", base_url="http://own.example"),),
    plugins=("mine.py",),
)
REMOVAL = Removal(
    model=FoundModel(
        name="Echo 8B", path=Path("/echo.gguf"), files=(Path("/echo.gguf"),), size_bytes=1, source="folder"
    ),
    names=(Path("/echo.gguf"),),
    frees_bytes=1,
    owner="LM Studio",
)


def gated(driver: Driver) -> QDialog:
    """The panel as it stands in Models when the Hub asks for access."""
    dialog = QDialog(driver.window)
    dialog.setWindowTitle("Gated")
    QVBoxLayout(dialog).addWidget(panel := GatedPanel())
    panel.set_state("https://hub.example/echo", has_token=False)
    return dialog


DIALOGS: dict[str, Callable[[Driver], QDialog]] = {
    "text": lambda driver: TextDialog("Title", "Text", driver.window),
    "crash": lambda driver: CrashDialog("Text", "/tmp/report.txt", driver.window),
    "erase": lambda driver: EraseDialog(driver.window),
    "defaults": lambda driver: DefaultsDialog("Echo 8B", LoadOptions(), False, driver.window),
    "case": lambda driver: CaseDialog(TestCase(id="1", variables={"input": "hello"}), ["input"], driver.window),
    "report": lambda driver: ReportDialog(driver.window.context, driver.window),
    "inspector": lambda driver: InspectDialog(
        driver.window.context, "Echo", "/echo.gguf", lambda: [HEADER], driver.window
    ),
    "gated": gated,
    "diff": lambda driver: DiffDialog(
        [DiffText("A", "one two"), DiffText("B", "one three")], 0, driver.window.context, driver.window
    ),
    "tally": lambda driver: TallyDialog(driver.program.slot.value, driver.window.context, driver.window),
    "restore": lambda driver: RestoreDialog(BACKUP, driver.window),
    "licences": lambda driver: LicencesDialog(
        [Component(name="A", version="1", licence="MIT", text="Do what you like.")], driver.window
    ),
    "removal": lambda driver: RemovalDialog("Echo 8B", REMOVAL, driver.window),
    "provider": lambda driver: ProviderDialog([("openai", "OpenAI")], set(), driver.window),
    "add to a test set": lambda driver: AddToSetDialog(driver.window.context, ["1"], driver.window),
}


def test_every_control_of_a_dialog_has_a_name(window: Driver, watchdog: Watchdog) -> None:
    watchdog.cpu_limit_s = 1.0
    problems = {}
    for name, make in DIALOGS.items():
        dialog = make(window)
        dialog.open()
        window.wait(lambda dialog=dialog: dialog.isVisible() and window.program.jobs.pending == 0)
        if found := nameless(dialog) or ([] if dialog.windowTitle() else ["no title"]):
            problems[name] = found
        dialog.reject()
        dialog.deleteLater()
    window.window.show_help()
    window.wait(lambda: window.program.jobs.pending == 0)
    if found := nameless(window.window._help):
        problems["help"] = found
    window.window._help.close()
    assert problems == {}
