"""The Evaluate place, used with clicks and keys."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QFileDialog, QInputDialog, QLabel, QScrollArea

from tests.ui.evaluate.conftest import Evaluating
from workbench.evaluation.case_files import read_cases
from workbench.evaluation.cases import near_duplicates
from workbench.evaluation.spec import EvalSpec, read_spec
from workbench.ui.window_actions import change_appearance


def run(driver: Evaluating, spec: EvalSpec, folder: Path) -> None:
    driver.place.state.start(spec, folder)
    driver.settle()
    driver.wait(lambda: driver.place.results.loaded is not None and driver.place.results.loaded.analysis is not None)


def new_set(driver: Evaluating, text: str = "") -> None:
    driver.click(driver.place.side_list.new)
    driver.wait(lambda: driver.place.stack.currentWidget() is driver.place.test_set)
    driver.wait(lambda: driver.place.test_set.test_set is not None)
    driver.settle()


def type_case(driver: Evaluating, *values: str) -> None:
    """Add a case with the button and type into its cells from the first variable on."""
    view = driver.place.test_set
    driver.click(view.add)
    row = view.model.rowCount() - 1
    for column, value in enumerate(values, 1):
        index = view.model.index(row, column)
        view.table.setCurrentIndex(index)
        view.table.edit(index)
        editor = QApplication.focusWidget()
        QTest.keyClicks(editor, value)
        QTest.keyClick(editor, Qt.Key.Key_Return)
    driver.settle()


def test_a_set_is_written_with_the_keyboard_and_kept(evaluating: Evaluating) -> None:
    new_set(evaluating)
    type_case(evaluating, "Say sea", "sea")
    type_case(evaluating, "Say sky", "sky")
    view = evaluating.place.test_set
    assert [(case.variables, case.expected) for case in view.model.cases] == [
        ({"prompt": "Say sea"}, "sea"),
        ({"prompt": "Say sky"}, "sky"),
    ]
    evaluating.wait(lambda: "Say sky" in view.prompts.preview.toPlainText())
    stored = evaluating.store.test_cases(view.test_set.id)
    assert [row.variables for row in stored] == [{"prompt": "Say sea"}, {"prompt": "Say sky"}]
    assert ("set", "New test set") in evaluating.place.side_list.titles()


def test_deleting_cases_can_be_undone_with_the_keyboard(evaluating: Evaluating) -> None:
    new_set(evaluating)
    type_case(evaluating, "one", "1")
    type_case(evaluating, "two", "2")
    view = evaluating.place.test_set
    view.table.selectRow(0)
    view.table.setFocus()
    QTest.keyClick(view.table, Qt.Key.Key_Delete)
    prompts = lambda: [case.variables["prompt"] for case in view.model.cases]  # noqa: E731
    assert prompts() == ["two"]
    evaluating.click(view.undo)
    assert prompts() == ["one", "two"]
    evaluating.window.activateWindow()
    evaluating.wait(evaluating.window.isActiveWindow)
    view.table.setFocus()
    for keys, left in (
        (QKeySequence.StandardKey.Redo, ["two"]),
        (QKeySequence.StandardKey.Undo, ["one", "two"]),
    ):
        combination = QKeySequence(keys)[0]
        QTest.keyClick(view.table, combination.key(), combination.keyboardModifiers())
        assert prompts() == left
    evaluating.settle()
    assert len(evaluating.store.test_cases(view.test_set.id)) == 2


def test_a_broken_template_is_told_where_it_is_written(evaluating: Evaluating) -> None:
    new_set(evaluating)
    type_case(evaluating, "one", "1")
    prompts = evaluating.place.test_set.prompts
    prompts.text.setPlainText("{{ promt }}")
    evaluating.wait(lambda: prompts.problem.isVisible())
    assert "promt" in prompts.problem.text()
    prompts.text.setPlainText("Now: {{ prompt }}")
    evaluating.wait(lambda: prompts.preview.toPlainText().endswith("Now: one"))
    assert not prompts.problem.isVisible()


def test_earlier_versions_of_a_prompt_come_back(evaluating: Evaluating) -> None:
    new_set(evaluating)
    view = evaluating.place.test_set
    for text in ("first", "second"):
        view.prompts.text.setPlainText(text)
        view.prompts.flush()
        evaluating.settle()
    versions = evaluating.store.prompt_templates(view.test_set.id)
    assert [(row.version, row.messages[-1]["text"]) for row in versions][:2] == [(3, "second"), (2, "first")]


def drop(driver: Evaluating, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    actions, button = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    event = QDropEvent(QPointF(20, 20), actions, data, button, Qt.KeyboardModifier.NoModifier)
    driver.place.dropEvent(event)  # Qt delivers drops only to where a drag has entered


def test_a_dropped_file_becomes_a_set_and_is_appended_to_an_open_one(evaluating: Evaluating, tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    path.write_text("word,expected\nsea,Meer\nsky,Himmel\n")
    drop(evaluating, path)
    view = evaluating.place.test_set
    evaluating.wait(lambda: len(view.model.cases) == 2)
    assert view.prompts.text.toPlainText() == "{{ word }}"
    evaluating.settle()
    drop(evaluating, path)
    evaluating.wait(lambda: len(view.model.cases) == 4)
    assert len({case.id for case in view.model.cases}) == 4


def test_a_file_that_is_no_test_set_is_told(evaluating: Evaluating, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"a": 1}\nnot json\n')
    drop(evaluating, path)
    evaluating.wait(lambda: evaluating.window.banner_texts)
    assert "row 2" in evaluating.window.banner_texts[0]


def test_sealed_cases_are_hidden_until_opened_and_every_look_is_counted(
    evaluating: Evaluating, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_set(evaluating)
    type_case(evaluating, "a secret question", "42")
    view = evaluating.place.test_set
    sealed = view.model.index(0, view.model.columns().index("sealed"))
    view.model.setData(sealed, Qt.CheckState.Checked, Qt.ItemDataRole.CheckStateRole)
    cell = view.model.index(0, 1)
    assert view.model.data(cell) == "•••"
    assert not view.model.flags(cell) & Qt.ItemFlag.ItemIsEditable
    evaluating.settle()
    evaluating.wait(lambda: "secret" not in view.prompts.preview.toPlainText())
    assert "opened 0 times" in view.open_sealed.text()
    assert not view.model.setData(sealed, Qt.CheckState.Unchecked, Qt.ItemDataRole.CheckStateRole)
    monkeypatch.setattr(QInputDialog, "getInt", lambda *_arguments: (0, True))
    evaluating.click(view.seal)
    assert view.model.data(cell) == "•••"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_arguments: (str(tmp_path / "cases.jsonl"), ""))
    view.export.menu().actions()[0].trigger()
    evaluating.wait(lambda: "opened once" in view.open_sealed.text())
    assert view.model.data(cell) == "•••"
    evaluating.click(view.open_sealed)
    evaluating.wait(lambda: "opened 2 times" in view.open_sealed.text())
    assert view.model.data(cell) == "a secret question"
    assert len(evaluating.store.sealed_openings(view.test_set.id)) == 2


def test_near_duplicates_across_the_split_are_flagged(evaluating: Evaluating, tmp_path: Path) -> None:
    path = tmp_path / "near.jsonl"
    rows = [
        {"id": "w", "text": "How do I reset my password on the phone?", "sealed": False},
        {"id": "s", "text": "How do I reset my password on a phone?", "sealed": True},
        {"id": "o", "text": "Something else entirely", "sealed": True},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    drop(evaluating, path)
    view = evaluating.place.test_set
    evaluating.wait(lambda: view.notice.isVisible())
    assert "w ≈ s" in view.notice.text()
    assert view.model.near == {"w", "s"}


def test_margin_and_cases_needed_stand_first_and_the_start_waits_for_models(evaluating: Evaluating) -> None:
    new_set(evaluating)
    type_case(evaluating, "Say sea", "sea")
    evaluating.click(evaluating.place.test_set.evaluate)
    setup = evaluating.place.setup
    evaluating.wait(lambda: evaluating.place.stack.currentWidget() is setup)
    setup.margin.setValue(10)
    assert "118" in setup.needed.text()
    assert "You have 1: expect a verdict only if one model is far better." in setup.needed.text()
    setup.contestants[0].model.setCurrentIndex(setup.contestants[0].model.findData("fake:echo"))
    setup.contestants[0].model.activated.emit(0)
    evaluating.click(setup.contestants[0].settings)
    setup.contestants[0].temperature.setText("warm")
    assert not setup.start.isEnabled()
    assert "Temperature" in setup.contestants[0].problem.text()
    setup.contestants[0].temperature.setText("0.2")
    assert setup.start.isEnabled()
    evaluating.wait(lambda: "nothing leaves this machine" in setup.summary.text())


def test_a_remote_model_is_estimated_before_the_start(evaluating: Evaluating, spec: EvalSpec, quiz: Path) -> None:
    evaluating.place.state.set_up(spec, quiz.parent)
    setup = evaluating.place.setup
    evaluating.click(setup.add_model)
    editor = setup.contestants[-1]
    editor.model.setCurrentIndex(editor.model.findData("fake:remote"))
    editor.model.activated.emit(0)
    evaluating.wait(lambda: "4 prompts leave this machine" in setup.summary.text())
    assert "$" in setup.summary.text()
    assert "4,096" not in setup.summary.text()
    setup.usd.setValue(1)
    evaluating.wait(lambda: "answers without a limit get one of 4,096 tokens" in setup.summary.text())


def test_with_large_text_the_set_up_stands_in_one_column_and_nothing_is_cut_off(
    evaluating: Evaluating, spec: EvalSpec, quiz: Path
) -> None:
    evaluating.window.resize(1280, 800)
    change_appearance(evaluating.window, text_scale=200)
    evaluating.wait(lambda: evaluating.program.theme.scale == 200)
    evaluating.place.state.set_up(spec, quiz.parent)
    setup = evaluating.place.setup
    area = setup.findChild(QScrollArea)
    evaluating.wait(lambda: 0 < area.widget().width() <= area.viewport().width())
    assert area.widget().minimumSizeHint().width() <= area.viewport().width()
    new_set(evaluating)
    tools = (evaluating.place.test_set.add, evaluating.place.test_set.seal, evaluating.place.test_set.undo)
    assert all(button.width() >= button.sizeHint().width() for button in tools)


def test_variants_of_one_model_need_names_of_their_own(evaluating: Evaluating, spec: EvalSpec, quiz: Path) -> None:
    evaluating.place.state.set_up(spec, quiz.parent)
    setup = evaluating.place.setup
    setup.contestants[0].copy_wanted.emit(setup.contestants[0])
    assert [editor.spec.name for editor in setup.contestants] == ["Echo", "Echo (2)"]
    assert setup.start.isEnabled()
    setup.contestants[1].label.setText("Echo")
    assert not setup.start.isEnabled()


def test_from_set_up_to_verdict(evaluating: Evaluating, spec: EvalSpec, quiz: Path) -> None:
    evaluating.place.state.set_up(spec, quiz.parent)
    evaluating.click(evaluating.place.setup.start)
    evaluating.settle()
    results = evaluating.place.results
    evaluating.wait(lambda: results.verdicts.sentences)
    assert "Not enough evidence to tell whether Echo is within 10 points" in results.verdicts.sentences[0]
    assert results.verdicts.arms.rowCount() == 2
    assert evaluating.place.side_list.titles()[-1] == ("evaluation", "Capitals")


def test_answers_are_filtered_sorted_and_shown_side_by_side(evaluating: Evaluating, spec: EvalSpec, quiz: Path) -> None:
    run(evaluating, spec, quiz.parent)
    results = evaluating.place.results
    evaluating.click(results.segments[1])
    view = results.answers
    evaluating.wait(lambda: len(view.views) == 2 and view.views[0].items)
    assert [item.text.strip() for item in view.views[1].items][-1]
    view.verdict.setCurrentIndex(view.verdict.findData("differ"))
    view.verdict.activated.emit(0)
    assert {view.model.line(row).case for row in range(view.model.rowCount())} == {"France", "Italy", "Spain"}
    view.verdict.setCurrentIndex(0)
    view.verdict.activated.emit(0)
    QTest.keyClicks(view.search, "quito")
    evaluating.wait(lambda: view.model.rowCount() == 1)
    assert view.model.line(0).contestant == "Recorded API"
    view.search.clear()
    evaluating.wait(lambda: view.model.rowCount() == 8)
    header = view.table.horizontalHeader()
    place = header.sectionViewportPosition(3) + 10
    QTest.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=QPointF(place, 8).toPoint())
    scores = [view.model.line(row).score for row in range(8)]
    assert scores == sorted(scores, reverse=scores[0] > scores[-1])


def test_a_running_evaluation_stops_and_resumes(evaluating: Evaluating, spec: EvalSpec, quiz: Path) -> None:
    slow = msgspec.structs.replace(spec, models=(msgspec.structs.replace(spec.models[0], model="fake:slow"),))
    state, results = evaluating.place.state, evaluating.place.results
    state.start(slow, quiz.parent)
    evaluating.wait(lambda: results.stop.isVisible() and results.progress.text().startswith("4 of 8"))
    assert not results.verdicts.sentences
    evaluating.click(results.stop)
    evaluating.settle()
    evaluating.wait(lambda: results.resume.isVisible())
    assert state.evaluations[0].status == "stopped"
    evaluating.click(results.resume)
    evaluating.wait(lambda: state.running is not None and state.running.id == state.evaluations[0].id)
    evaluating.wait(lambda: results.stop.isVisible())
    evaluating.click(results.stop)
    evaluating.settle()
    assert len(state.evaluations) == 1


def test_closing_the_window_leaves_an_evaluation_that_can_be_resumed(
    evaluating: Evaluating, spec: EvalSpec, quiz: Path
) -> None:
    slow = msgspec.structs.replace(spec, models=(msgspec.structs.replace(spec.models[0], model="fake:slow"),))
    evaluating.place.state.start(slow, quiz.parent)
    evaluating.wait(lambda: evaluating.place.state.running.progress.done == 4)
    thread = evaluating.place.state.running.thread
    evaluating.close()
    assert not thread.is_alive()


def test_an_evaluation_that_can_not_start_says_why(evaluating: Evaluating, spec: EvalSpec, quiz: Path) -> None:
    (quiz.parent / "api.jsonl").unlink()
    evaluating.place.state.start(spec, quiz.parent)
    evaluating.settle()
    assert "api.jsonl" in evaluating.window.banner_texts[0]
    assert evaluating.place.state.shown[0] == "welcome"


def test_the_queue_is_blind_and_needs_only_keys(evaluating: Evaluating, spec: EvalSpec, quiz: Path) -> None:
    run(evaluating, spec, quiz.parent)
    evaluating.click(evaluating.place.results.queue)
    view = evaluating.place.queue
    evaluating.wait(lambda: len(view.waiting) == 8 and view.view.items)
    names = {model.name for model in (*spec.models, spec.baseline)}
    for key in "12312":
        evaluating.wait(lambda: view.view.items and view.view.items[0].role == "user")
        assert not any(name in item.title + item.text + item.footer for item in view.view.items for name in names)
        QTest.keyClick(view, Qt.Key(ord(key)))
    QTest.keyClick(view, Qt.Key.Key_Backspace)
    QTest.keyClick(view, Qt.Key.Key_1)
    assert view.count.text() == "5 of 8 judged"
    QTest.keyClick(view, Qt.Key.Key_Escape)
    evaluating.settle()
    loaded = evaluating.place.results.loaded
    votes = [row.score for row in evaluating.store.results(loaded.row.id) if row.grader == "human"]
    assert sorted(votes) == [0.0, 0.5, 1.0, 1.0, 1.0]
    evaluating.wait(lambda: evaluating.place.stack.currentWidget() is evaluating.place.results)


@pytest.mark.parametrize("what", ["report", "csv", "jsonl", "yaml", "baseline"])
def test_exports(
    evaluating: Evaluating, spec: EvalSpec, quiz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    run(evaluating, spec, quiz.parent)
    target = tmp_path / f"out.{what}"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    results = evaluating.place.results
    titles = ("report", "csv", "jsonl", "yaml", "baseline")
    results.export.menu().actions()[titles.index(what)].trigger()
    evaluating.wait(target.exists)
    evaluating.settle()
    text = target.read_text(encoding="utf-8")
    if what == "yaml":
        again = tmp_path / "again.yaml"
        target.rename(again)
        assert read_spec(again).models == spec.models
    elif what == "baseline":
        assert {json.loads(line)["text"] for line in text.splitlines()} == {"Paris", "Rome", "Madrid", "Quito"}
    else:
        assert "Recorded API" in text


def test_the_users_numbers_change_the_break_even(evaluating: Evaluating, spec: EvalSpec, quiz: Path) -> None:
    run(evaluating, spec, quiz.parent)
    results = evaluating.place.results
    evaluating.click(results.segments[2])
    results.cost.cases.setValue(50_000)
    results.cost.api.setValue(2.0)
    assert "50,000 cases a month: $100.00 on the API" in results.cost.text.text()
    results.cost.price.setValue(1_000)
    assert "paid off after 10.0 months" in results.cost.text.text()


def test_deleting_an_evaluation_can_be_undone(evaluating: Evaluating, spec: EvalSpec, quiz: Path) -> None:
    run(evaluating, spec, quiz.parent)
    evaluating.place.side_list.list.setFocus()
    QTest.keyClick(evaluating.place.side_list.list, Qt.Key.Key_Delete)
    evaluating.wait(lambda: not evaluating.place.state.evaluations)
    assert evaluating.place.stack.currentWidget() is evaluating.place.welcome
    assert evaluating.window.toaster.undo()
    evaluating.wait(lambda: evaluating.place.state.evaluations)


def test_promptfoo_files_say_what_was_not_taken(evaluating: Evaluating, tmp_path: Path) -> None:
    path = tmp_path / "promptfooconfig.yaml"
    path.write_text(
        "prompts: ['Say {{word}}']\nproviders: [openai:gpt-4o-mini]\n"
        "tests:\n  - vars: {word: hi}\n    assert:\n      - {type: contains, value: hi}\n"
        "      - {type: moderation}\n"
    )
    drop(evaluating, path)
    evaluating.wait(lambda: evaluating.place.stack.currentWidget() is evaluating.place.setup)
    evaluating.wait(lambda: evaluating.window.banner_texts)
    assert "moderation" in evaluating.window.banner_texts[0]


def test_a_part_is_sealed_on_request(evaluating: Evaluating, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    path.write_text("word\n" + "\n".join(f"word{n}" for n in range(60)))
    drop(evaluating, path)
    view = evaluating.place.test_set
    evaluating.wait(lambda: len(view.model.cases) == 60)
    monkeypatch.setattr(QInputDialog, "getInt", lambda *_: (50, True))
    evaluating.click(view.seal)
    assert 15 <= sum(case.sealed for case in view.model.cases) <= 45
    assert "sealed" in view.count.text()
    evaluating.settle()


def test_every_button_has_a_name(evaluating: Evaluating, spec: EvalSpec, quiz: Path) -> None:
    run(evaluating, spec, quiz.parent)
    evaluating.place.state.set_up(spec, quiz.parent)
    nameless = [
        button
        for button in evaluating.place.findChildren(QAbstractButton)
        if not button.accessibleName() and not button.text() and button.objectName() != "" and button.isVisible()
    ]
    assert nameless == []


@pytest.mark.parametrize(("name", "cases", "chosen"), [("triage", 64, 64), ("year", 300, 200)])
def test_the_examples_are_whole_and_say_that_their_baseline_is_recorded(name: str, cases: int, chosen: int) -> None:
    folder = Path(__file__).parents[3] / "resources" / "examples"
    spec = read_spec(folder / f"{name}.yaml")
    assert len(spec.cases) == len(read_cases(folder / f"{name}-cases.jsonl")) == cases
    assert len(spec.selected_cases()) == chosen
    assert spec.margin == 5
    assert "Recorded" in spec.baseline.name
    assert "not the output of any service" in " ".join(spec.notes.split())
    recorded = [json.loads(line) for line in (folder / spec.baseline.recorded).read_text().splitlines()]
    assert {item["case"] for item in recorded} == {case.id for case in spec.cases}
    assert near_duplicates(spec.cases) == []


def test_users_who_are_elsewhere_are_told_when_it_is_done(
    evaluating: Evaluating, spec: EvalSpec, quiz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    window = type(evaluating.window)
    monkeypatch.setattr(window, "set_work", lambda _self, _key, text, *rest: told.append(text or rest[2]))
    run(evaluating, spec, quiz.parent)
    assert told[-1] == "The evaluation “Capitals” is done"
    (quiz.parent / "api.jsonl").unlink()
    evaluating.place.state.start(spec, quiz.parent)
    evaluating.settle()
    assert told[-1].startswith("The evaluation “Capitals” failed: The recorded answers")
    assert evaluating.window.banner_texts


def test_failed_answers_tell_why_and_are_asked_again(evaluating: Evaluating, spec: EvalSpec, quiz: Path) -> None:
    broken = msgspec.structs.replace(spec, models=(msgspec.structs.replace(spec.models[0], model="fake:overflow"),))
    run(evaluating, broken, quiz.parent)
    view = evaluating.place.results
    assert view.loaded is not None
    assert view.loaded.row.status == "done"
    cause = view.loaded.analysis.arms[-1].common_error or view.loaded.analysis.arms[0].common_error
    assert cause
    assert any(text.startswith(cause) for text in (label.text() for label in view.verdicts.findChildren(QLabel)))
    asked = len(evaluating.store.runs())
    assert view.resume.text() == "Ask failed ones again"
    evaluating.click(view.resume)
    evaluating.settle()
    assert len(evaluating.store.runs()) == asked + len(spec.cases)


def test_the_place_is_worked_with_keys_alone(evaluating: Evaluating) -> None:
    place = evaluating.place

    def press(name: str) -> None:
        evaluating.window.registry[f"evaluate.{name}"].trigger()

    press("cost")  # nothing is shown that has a cost: nothing happens
    press("new")
    evaluating.wait(lambda: place.stack.currentWidget() is place.test_set and place.test_set.test_set is not None)
    evaluating.settle()
    press("add_case")
    assert place.test_set.model.rowCount() == 1
    evaluating.settle()
    press("set_up")
    evaluating.wait(lambda: place.stack.currentWidget() is place.setup)
    before = len(place.setup.contestants)
    press("add_model")
    assert len(place.setup.contestants) == before + 1


def test_keys_choose_what_of_an_evaluation_is_shown(evaluating: Evaluating, spec: EvalSpec, quiz: Path) -> None:
    run(evaluating, spec, quiz.parent)
    results = evaluating.place.results
    for number, name in enumerate(("verdict", "answers", "cost")):
        evaluating.window.registry[f"evaluate.{name}"].trigger()
        assert results.stack.currentIndex() == number
    evaluating.window.registry["evaluate.search"].trigger()
    assert results.stack.currentIndex() == 1
