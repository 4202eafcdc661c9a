"""Editing what an evaluation is made of: whole cases, examples, graders, variations, answers from elsewhere."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPlainTextEdit

from tests.ui.evaluate.conftest import Evaluating
from tests.ui.evaluate.test_evaluate import new_set, type_case
from workbench.core.messages import FilePart, Message
from workbench.core.models import ModelInfo
from workbench.evaluation.prompts import build_request
from workbench.evaluation.spec import EvalSpec, GraderSpec, ModelSpec
from workbench.evaluation.test_sets import load_test_set
from workbench.evaluation.variations import of_quantizations
from workbench.ui.evaluate.add_to_set import AddToSetDialog, add_to_test_set
from workbench.ui.evaluate.case_dialog import CaseDialog


def test_a_whole_case_is_edited_with_messages_and_files(evaluating: Evaluating, tmp_path: Path) -> None:
    new_set(evaluating)
    type_case(evaluating, "What does it say?", "seven")
    view = evaluating.place.test_set
    evaluating.click(view.edit)
    dialog = view.findChild(CaseDialog)
    dialog.add_turn.click()
    QTest.keyClicks(dialog.turns[0].text, "Hello")
    dialog.add_turn.click()
    QTest.keyClicks(dialog.turns[1].text, "Hello, what can I do?")
    note = tmp_path / "note.txt"
    note.write_text("The number is seven.")
    dialog.add_files([note])
    dialog.expected.setPlainText("7")
    dialog.save.click()
    evaluating.settle()
    test_set = load_test_set(evaluating.store, view.test_set.id)
    assert test_set is not None
    (case,) = test_set.cases
    assert case.expected == "7"
    request = build_request(ModelSpec(model="m"), test_set.prompts[0], case, seed=None)
    assert [message.role for message in request.messages] == ["user", "assistant", "user"]
    assert isinstance(request.messages[-1].parts[0], FilePart)
    assert request.messages[-1].text == "The number is seven.\n\nWhat does it say?"
    assert view.model.data(view.model.index(0, 0)).endswith("+3")
    evaluating.click(view.undo)
    assert view.model.cases[0].messages == ()


def test_examples_are_written_with_the_prompt_and_kept(evaluating: Evaluating) -> None:
    new_set(evaluating)
    prompts = evaluating.place.test_set.prompts
    prompts.examples_section.set_open(True)
    prompts.examples.item(0, 0).setText("2 + 2")
    prompts.examples.item(0, 1).setText("4")
    assert prompts.examples.rowCount() == 2
    prompts.flush()
    evaluating.settle()
    test_set = load_test_set(evaluating.store, evaluating.place.test_set.test_set.id)
    assert test_set is not None
    assert test_set.prompts[0].examples == ({"user": "2 + 2", "assistant": "4"},)


def test_a_removed_prompt_stays_removed(evaluating: Evaluating, monkeypatch: pytest.MonkeyPatch) -> None:
    new_set(evaluating)
    view = evaluating.place.test_set
    monkeypatch.setattr("workbench.ui.evaluate.prompt_editor.QInputDialog.getText", lambda *_a, **_k: ("second", True))
    view.prompts._add()
    evaluating.settle()
    view.prompts._remove()
    evaluating.settle()
    test_set = load_test_set(evaluating.store, view.test_set.id)
    assert test_set is not None
    assert [prompt.name for prompt in test_set.prompts] == ["prompt"]


def test_graders_have_a_field_for_each_option(evaluating: Evaluating, spec: EvalSpec, quiz: Path) -> None:
    evaluating.place.state.set_up(spec, quiz.parent)
    setup = evaluating.place.setup
    editor = setup.graders[0]
    editor.choice.setCurrentIndex(editor.choice.findData("pairwise"))
    editor.choice.activated.emit(0)
    assert not setup.start.isEnabled()
    judge = editor.inputs["model"]
    judge.setCurrentIndex(judge.findData("fake:echo"))
    judge.activated.emit(0)
    rubric = editor.inputs["rubric"]
    assert isinstance(rubric, QPlainTextEdit)
    rubric.setPlainText("Shorter is better.")
    assert editor.spec == GraderSpec(grader="pairwise", options={"model": "fake:echo", "rubric": "Shorter is better."})
    assert setup.start.isEnabled()
    evaluating.click(setup.add_grader)
    assert "stands alone" in setup.summary.text()
    assert not setup.start.isEnabled()
    editor.choice.setCurrentIndex(editor.choice.findData("numeric"))
    editor.choice.activated.emit(0)
    editor.inputs["absolute"].setText("a little")
    assert "must be a number" in editor.problem.text()
    editor.inputs["absolute"].setText("0.5")
    assert editor.spec.options == {"absolute": 0.5}


def test_variations_of_a_model_stand_side_by_side(evaluating: Evaluating, spec: EvalSpec, quiz: Path) -> None:
    evaluating.place.state.set_up(spec, quiz.parent)
    setup = evaluating.place.setup
    setup.contestants[0].variations_menu().actions()[1].trigger()
    temperatures = [editor.spec.sampling.temperature for editor in setup.contestants]
    assert temperatures == [None, 0.0, 0.7, 1.0]
    setup.contestants[0].variations_menu().actions()[3].trigger()
    assert setup.contestants[-1].spec.examples == ()
    assert setup.start.isEnabled()


def test_quantisations_of_one_model_are_found_by_their_files() -> None:
    def info(name: str, size: int) -> ModelInfo:
        path = f"/models/{name}.gguf"
        return ModelInfo(
            id=f"local:{name}", name=name, provider="local", path=path, size_bytes=size, architecture="llama"
        )

    names = (("A-7B-Q4_K_M", 4), ("A-7B-Q8_0", 8), ("A-7B-f16", 16), ("B-7B-Q8_0", 8))
    models = [info(name, size) for name, size in names]
    found = of_quantizations(ModelSpec(model="local:A-7B-Q4_K_M"), models[0], models)
    assert [spec.model for spec in found] == ["local:A-7B-f16", "local:A-7B-Q8_0"]


def test_a_person_is_the_grader(evaluating: Evaluating, spec: EvalSpec, quiz: Path) -> None:
    human = msgspec.structs.replace(spec, graders=(GraderSpec(grader="human"),))
    evaluating.place.state.start(human, quiz.parent)
    evaluating.settle()
    results = evaluating.place.results
    evaluating.wait(lambda: results.loaded is not None and results.loaded.analysis is not None)
    evaluating.click(results.verdicts.judge)
    queue = evaluating.place.queue
    evaluating.wait(lambda: len(queue.waiting) == 8 and queue.view.items)
    slow_disk = threading.Event()
    evaluating.program.jobs.run(slow_disk.wait, lane="serial")
    for _ in range(8):
        QTest.keyClick(queue, Qt.Key.Key_1)
    QTest.keyClick(queue, Qt.Key.Key_Escape)
    evaluating.qtbot.wait(50)
    slow_disk.set()
    evaluating.settle()
    evaluating.wait(lambda: results.verdicts.sentences)  # computed from all of them, though they were written late
    assert "scored the same" in results.verdicts.sentences[0]


def test_answers_of_a_chat_become_cases(evaluating: Evaluating) -> None:
    evaluating.window.show_place("chat")
    evaluating.wait_ready()
    evaluating.use("fake:echo")
    for text in ("How far is the moon?", "And the sun?"):
        evaluating.composer.set_text(text)
        evaluating.composer.send.click()
        evaluating.wait_idle()
    (session,) = evaluating.store.sessions()
    runs = [message.run_id for message in evaluating.store.messages(session.id) if message.run_id]
    dialog = add_to_test_set(evaluating.window.context, evaluating.window, runs)
    assert isinstance(dialog, AddToSetDialog)
    evaluating.wait(lambda: evaluating.program.jobs.pending == 0)
    dialog.name.setText("Distances")
    dialog.expected.setChecked(True)
    dialog.add.click()
    evaluating.wait(dialog.isHidden)
    (row,) = evaluating.store.test_sets()
    test_set = load_test_set(evaluating.store, row.id)
    assert test_set is not None
    assert row.name == "Distances"
    by_prompt = {case.variables["prompt"]: case for case in test_set.cases}
    assert set(by_prompt) == {"How far is the moon?", "And the sun?"}
    assert len({case.cluster for case in test_set.cases}) == 1
    second = by_prompt["And the sun?"]
    assert second.messages[0] == Message.of("user", "How far is the moon?")
    assert second.expected
    request = build_request(ModelSpec(model="m"), test_set.prompts[0], second, seed=None)
    assert [message.role for message in request.messages] == ["user", "assistant", "user"]


def test_the_wheel_scrolls_and_changes_nothing(evaluating: Evaluating, spec: EvalSpec, quiz: Path) -> None:
    evaluating.place.state.set_up(spec, quiz.parent)
    setup = evaluating.place.setup
    setup.name.setFocus()
    for widget in (setup.graders[0].choice, setup.margin, setup.repeats, setup.contestants[0].model):
        place = QPointF(5, 5)
        event = QWheelEvent(
            place,
            widget.mapToGlobal(place),
            QPoint(),
            QPoint(0, -120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(widget, event)
    assert setup.spec() == spec
