"""About: licences, the doctor without a database, and the report of a problem."""

from __future__ import annotations

import logging
import operator
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication, QMessageBox

from tests.accessibility.test_names import nameless
from tests.ui.driver import Driver
from tests.ui.settings.conftest import Part
from tests.ui.watchdog import Watchdog
from workbench.services import doctor
from workbench.services.doctor import Engine
from workbench.ui.places import SETTINGS_BUTTONS
from workbench.ui.settings.licences_dialog import LicencesDialog
from workbench.ui.settings.report_dialog import ReportDialog

KEY = "sk-planted-0123456789abcdefghijkl"
SECRET = "the walrus plans a coup at noon"


@pytest.fixture(autouse=True)
def quick_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's own start is tested elsewhere."""
    monkeypatch.setattr(doctor, "probe_engine", lambda: Engine(llama_cpp_build="b1"))


def test_what_the_settings_do_is_in_the_palette(window: Driver, part: Part) -> None:
    registry = window.window.registry
    for name, _title, _icon, where, button in SETTINGS_BUTTONS:
        assert f"settings.{name}" in registry
        assert callable(operator.attrgetter(f"{button}.click")(part(where)))
    registry["settings.about.report"].trigger()
    section = part("about")
    window.wait(lambda: section.findChild(ReportDialog) is not None)
    section.findChild(ReportDialog).close()


def test_what_is_under_way_is_told_where_its_button_can_not_be_pressed(window: Driver, part: Part) -> None:
    part("providers").find_servers.setEnabled(False)
    window.window.registry["settings.providers.find"].trigger()
    window.wait(window.window.toaster.isVisible)
    assert "under way" in window.window.toaster.text.text()


def test_licences_are_searched_and_copied(window: Driver, part: Part) -> None:
    section = part("about")
    window.click(section.licences)
    window.wait(lambda: section.findChild(LicencesDialog) is not None)
    dialog = section.findChild(LicencesDialog)
    everything = dialog.list.model().rowCount()
    assert everything > 40 and dialog.heading.text().startswith("Model Workbench")
    dialog.search.setText("smollm2 apache")
    assert 0 < dialog.list.model().rowCount() < everything
    assert "SmolLM2" in dialog.heading.text() and "Apache License" in dialog.text.toPlainText()
    dialog._copy_one()
    assert "Apache License" in QApplication.clipboard().text()
    dialog.search.setText("lesser general public")
    names = {dialog.list.model().index(row, 0).data() for row in range(dialog.list.model().rowCount())}
    assert any(name.startswith("PySide6") for name in names)
    dialog.search.setText("xyzzyq")
    assert dialog.list.model().rowCount() == 0 and "Nothing" in dialog.heading.text()
    assert nameless(dialog) == []
    dialog.close()


def test_the_doctor_reports_in_words_and_is_copied(window: Driver, part: Part) -> None:
    section = part("about")
    window.click(section.doctor.run)
    window.wait(section.doctor.copy.isEnabled)
    text = section.doctor.report.toPlainText()
    assert "llama.cpp" in text and "b1" in text and not text.startswith("{")
    assert str(Path.home()) not in text
    window.click(section.doctor.copy)
    assert QApplication.clipboard().text() == text


def test_the_doctor_works_where_the_database_does_not_open(
    start: Callable[..., Driver], home: Path, watchdog: Watchdog
) -> None:
    watchdog.cpu_limit_s = 0.6
    home.mkdir(parents=True)
    (home / "workbench.db").write_bytes(b"not a database at all " * 500)
    driver = start(wait=False)
    driver.wait(lambda: driver.window.banner_texts)
    driver.window.show_part("settings", "about")
    section = driver.window.page("settings").show_part("about")
    driver.click(section.doctor.run)
    driver.wait(section.doctor.copy.isEnabled)
    assert "not a database" in section.doctor.state.text()


def opened(window: Driver, section: object) -> ReportDialog:
    window.click(section.report)  # type: ignore[attr-defined]
    dialog = section._dialog  # type: ignore[attr-defined]
    assert isinstance(dialog, ReportDialog)
    window.wait(dialog.save.isEnabled)
    return dialog


def test_what_is_read_is_what_is_saved_and_holds_nothing_private(window: Driver, part: Part, tmp_path: Path) -> None:
    window.send(SECRET)
    logging.getLogger("workbench.test").warning("failed on %s with %s", SECRET, KEY)
    dialog = opened(window, part("about"))
    assert not dialog.choices["chat"].isChecked() and dialog.choices["chat"].isEnabled()
    text = dialog.text.toPlainText()
    assert "failed on" in text and "walrus" not in text and KEY not in text
    window.qtbot.keyClicks(dialog.description, "It stopped.")
    window.wait(lambda: "It stopped." in dialog.text.toPlainText())
    dialog.save_to(tmp_path / "report.txt")
    assert (tmp_path / "report.txt").read_text() == dialog.text.toPlainText()
    window.click(dialog.choices["log"])
    assert "failed on" not in dialog.text.toPlainText()
    assert nameless(dialog) == []
    dialog.close()


def test_the_chat_goes_in_only_when_ticked(window: Driver, part: Part) -> None:
    window.send(f"{SECRET} {KEY}")
    dialog = opened(window, part("about"))
    window.click(dialog.choices["chat"])
    text = dialog.text.toPlainText()
    assert SECRET in text and KEY not in text
    window.click(dialog.choices["chat"])
    assert SECRET not in dialog.text.toPlainText()
    dialog.close()


def test_changes_by_hand_are_not_lost_without_a_question(
    window: Driver, part: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialog = opened(window, part("about"))
    dialog.text.setPlainText("only this")
    monkeypatch.setattr(QMessageBox, "question", lambda *_arguments: QMessageBox.StandardButton.No)
    window.click(dialog.choices["settings"])
    assert dialog.text.toPlainText() == "only this"
    monkeypatch.setattr(QMessageBox, "question", lambda *_arguments: QMessageBox.StandardButton.Yes)
    window.click(dialog.choices["settings"])
    assert dialog.text.toPlainText() != "only this"
    dialog.close()


def test_a_place_that_can_not_be_written_is_told(window: Driver, part: Part, tmp_path: Path) -> None:
    dialog = opened(window, part("about"))
    dialog.save_to(tmp_path / "missing" / "report.txt")
    assert "could not be written" in dialog.state.text()
    dialog.close()
