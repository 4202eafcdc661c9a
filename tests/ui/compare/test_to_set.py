"""From a comparison into a test set."""

from __future__ import annotations

from tests.ui.compare.driver import CompareDriver
from workbench.ui.compare.menus import column_menu
from workbench.ui.evaluate.add_to_set import AddToSetDialog


def test_a_columns_answer_becomes_a_case(compare: CompareDriver) -> None:
    compare.send("Say sea")
    key = compare.page.state.columns[1].key
    menu = column_menu(compare.page, key)
    (entry,) = [action for action in menu.actions() if action.text() == "Add to test set…"]
    entry.trigger()
    dialog = compare.page.findChild(AddToSetDialog)
    compare.window.wait(lambda: compare.window.program.jobs.pending == 0)
    dialog.name.setText("Comparison")
    dialog.expected.setChecked(True)
    dialog.add.click()
    compare.window.wait(dialog.isHidden)
    store = compare.window.store
    (row,) = store.test_cases(store.test_sets()[0].id)
    assert row.variables == {"prompt": "Say sea"}
    assert row.expected == {"value": "1: Say sea"}
