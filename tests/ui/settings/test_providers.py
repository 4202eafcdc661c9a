"""Providers: keys and their places, own entries and addresses, all with undo."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtWidgets import QLabel

from tests.ui.driver import Driver
from tests.ui.settings.conftest import Part
from workbench.core.settings import Provider
from workbench.services.catalog import key_variable_of

KEY = "test-key-0123456789abcdef"


def cards(window: Driver, section: Any, *names: str) -> Any:
    window.wait(lambda: set(names) <= set(section.cards) and not section._waiting and window.program.jobs.pending == 0)
    return section.cards


def save_key(window: Driver, section: Any, name: str) -> None:
    card = cards(window, section, name)[name]
    window.qtbot.keyClicks(card.key, KEY)
    window.click(card.save_button)
    window.wait(lambda: section.cards.get(name) is not None and section.cards[name].state.key_place == "file")


def test_a_key_is_saved_shown_as_there_and_forgotten_with_undo(window: Driver, part: Part) -> None:
    section = part("providers")
    save_key(window, section, "anthropic")
    assert "unencrypted" in section.warning.text()  # this system has no keyring
    assert KEY not in section.cards["anthropic"].key.text()
    assert section.cards["anthropic"].test.hasFocus(), "with a key, the next step is to test it"
    keys = window.program.slot.value.keys
    window.click(section.cards["anthropic"].forget)
    window.wait(lambda: keys.get("anthropic") is None)
    window.wait(window.window.toaster.isVisible)
    window.window.toaster.undo()
    window.wait(lambda: keys.get("anthropic") == KEY)


def test_cards_are_headed_by_the_vendor_and_none_is_squeezed(window: Driver, part: Part) -> None:
    section = part("providers")
    card = cards(window, section, "azure", "anthropic")["azure"]
    assert [label.text() for label in card.findChildren(QLabel)][1:3] == ["Azure OpenAI", "azure"]
    window.program.slot.value.keys.set("anthropic", KEY)
    section.reload()
    window.wait(lambda: section.cards.get("anthropic") is not None and section.cards.get("azure") is not card)
    section.cards["anthropic"].tell("It works: 1 model (Claude).", "good")  # while the other cards are still made
    cards(window, section, "openai")
    fields = [made.key for made in section.cards.values()]
    window.wait(lambda: all(field.height() >= field.sizeHint().height() for field in fields))


def test_an_entry_of_ones_own_is_added_changed_and_removed_with_its_key(window: Driver, part: Part) -> None:
    section = part("providers")
    cards(window, section, "openai")
    window.click(section.add)
    dialog = section.dialog
    dialog.kind.setCurrentIndex(dialog.kind.findData("openai"))
    dialog.name.setText("openai")
    dialog._check()
    assert "There is a provider of this name" in dialog.problem.text()
    dialog.name.setText("office")
    dialog.base_url.setText("gpu-box:8000")
    dialog._check()
    assert "begins with http" in dialog.problem.text()
    dialog.base_url.setText("http://gpu-box:8000/v1")
    dialog.models.setText("a, b ,")
    dialog._check()
    settings = window.program.settings
    assert settings.value.providers["office"] == Provider(
        kind="openai", base_url="http://gpu-box:8000/v1", models=("a", "b")
    )
    save_key(window, section, "office")
    window.click(section.cards["office"].edit)
    section.dialog.base_url.setText("http://gpu-box:9000/v1")
    section.dialog._check()
    assert settings.value.providers["office"].base_url == "http://gpu-box:9000/v1"
    window.wait(lambda: "office" in section.cards and section.cards["office"].state.base_url.endswith("9000/v1"))
    keys = window.program.slot.value.keys
    window.click(section.cards["office"].remove)
    window.wait(lambda: "office" not in settings.value.providers and keys.get("office") is None)
    window.wait(window.window.toaster.isVisible)
    window.window.toaster.undo()
    window.wait(lambda: "office" in settings.value.providers and keys.get("office") == KEY)


def test_the_address_of_a_known_provider_is_changed_and_set_back(window: Driver, part: Part) -> None:
    section = part("providers")
    own = cards(window, section, "openai")["openai"].state.base_url
    window.click(section.cards["openai"].edit)
    section.dialog.base_url.setText("https://proxy.example/v1")
    section.dialog._check()
    window.wait(lambda: "openai" in section.cards and section.cards["openai"].state.own)
    save_key(window, section, "openai")
    window.click(section.cards["openai"].remove)
    window.wait(lambda: "openai" in section.cards and section.cards["openai"].state.base_url == own)
    assert window.program.slot.value.keys.get("openai") == KEY  # its key stays: the provider does too


def test_offline_nothing_is_tested(window: Driver, part: Part) -> None:
    section = part("providers")
    cards(window, section, "anthropic")
    window.window.registry["network.toggle"].trigger()
    card = cards(window, section, "anthropic")["anthropic"]
    window.click(card.test)
    assert "offline" in card.result.text()


def test_a_result_does_not_squeeze_its_card(window: Driver, part: Part) -> None:
    section = part("providers")
    cards(window, section, "anthropic")
    window.window.resize(1280, 800)  # wider than the widest the part gets
    card = cards(window, section, "anthropic")["anthropic"]
    card.tell("The provider refused the key: 401. " * 6, "bad")
    window.wait(lambda: card.result.width() > 500)
    window.wait(lambda: card.key.height() >= card.key.sizeHint().height())
    window.wait(lambda: section.height() >= section.heightForWidth(section.width()))
    window.wait(lambda: card.result.height() >= card.result.fontMetrics().height() * 2)


def test_a_vendors_key_is_not_for_a_provider_of_ones_own(window: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    plugins = {plugin.kind: plugin for plugin in window.program.slot.value.plugins.providers()}
    assert key_variable_of("openai", plugins["openai"]) == "OPENAI_API_KEY"
    assert key_variable_of("office", plugins["openai"]) == ""
