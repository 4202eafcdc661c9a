"""The keyboard part: every action of every place, conflicts, defaults, and undo."""

from __future__ import annotations

from PySide6.QtGui import QKeySequence

from tests.ui.driver import Driver
from tests.ui.settings.conftest import Part


def edit(section: object, action_id: str, keys: str) -> None:
    field = section.rows[action_id].field  # type: ignore[attr-defined]
    field.setKeySequence(QKeySequence(keys))
    field.editingFinished.emit()


def test_actions_of_places_that_were_never_opened_are_there(window: Driver, part: Part) -> None:
    section = part("keyboard")
    window.wait(lambda: {"compare.blind", "history.replay", "models.add_folder"} <= set(section.rows))
    window.wait(lambda: set(section.rows) == {action.objectName() for action in window.window.registry})
    order = [row.holder.y() for name, row in section.rows.items() if name.startswith("compare.")]
    assert order == sorted(order) and window.window.place == "settings"


def test_keys_that_are_taken_are_refused_or_taken_over(window: Driver, part: Part) -> None:
    section, registry = part("keyboard"), window.window.registry
    window.wait(lambda: "chat.search" in section.rows)
    edit(section, "chat.pin", "Ctrl+F")
    assert "Search chats" in section.problem.text()
    assert registry.keys("chat.pin") == "Ctrl+P" and section.fields["chat.pin"].keySequence() == QKeySequence("Ctrl+P")
    window.click(section.take)
    assert registry.keys("chat.pin") == "Ctrl+F" and registry.keys("chat.search") == ""
    assert window.program.settings.value.shortcuts == {"chat.pin": "Ctrl+F", "chat.search": ""}
    assert not section.problem_box.isVisible()
    window.click(section.reset_all)
    assert registry.keys("chat.search") == "Ctrl+F" and window.program.settings.value.shortcuts == {}
    assert window.window.toaster.undo()
    assert registry.keys("chat.pin") == "Ctrl+F"


def test_one_action_gets_its_default_back_unless_another_has_it_now(window: Driver, part: Part) -> None:
    section, registry = part("keyboard"), window.window.registry
    window.wait(lambda: "chat.search" in section.rows)
    edit(section, "chat.pin", "Ctrl+Alt+P")
    edit(section, "chat.rename", "Ctrl+P")
    resets = {
        button.property("action"): button
        for row in section.rows.values()
        for button in row.holder.children()
        if button.property("action") and button is not row.field
    }
    window.click(resets["chat.pin"])
    assert "Rename" in section.problem.text() and registry.keys("chat.pin") == "Ctrl+Alt+P"
    window.click(resets["chat.rename"])
    window.click(resets["chat.pin"])
    assert registry.keys("chat.pin") == "Ctrl+P" and registry.keys("chat.rename") == "F2"


def test_search_finds_names_and_keys(window: Driver, part: Part) -> None:
    section = part("keyboard")
    window.wait(lambda: "chat.search" in section.rows)

    def shown() -> set[str]:
        return {name for name, row in section.rows.items() if not row.holder.isHidden()}

    section.search.setText("larger text")
    assert shown() == {"text.larger"} and "Ctrl+=" in section.rows["text.larger"].also.text()
    section.search.setText("ctrl+k")
    assert shown() == {"palette"}
    section.search.setText("no such thing")
    assert shown() == set() and section.empty.isVisible()


def test_no_two_actions_of_any_place_have_the_same_keys(window: Driver, part: Part) -> None:
    section = part("keyboard")
    window.wait(lambda: "compare.blind" in section.rows and "history.replay" in section.rows)
    registry = window.window.registry
    for action in registry:
        for keys in registry.sequences(action.objectName()):
            other = registry.owner(keys, action.objectName())
            assert other is None, f"{keys.toString()}: {action.text()} and {other.text()}"
