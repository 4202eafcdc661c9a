"""The Hugging Face token in Settings: entered, shown by its place alone, deleted, taken back."""

from __future__ import annotations

import pytest

from tests.ui.driver import Driver
from tests.ui.settings.conftest import Part


def test_a_token_is_kept_deleted_and_taken_back(window: Driver, part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    token = part("network").token
    keys = window.program.slot.value.keys
    assert not token.forget.isEnabled()
    names = [widget.accessibleName() for widget in (token.field, token.save, token.forget)]
    assert names == ["Hugging Face token", "Save token", "Delete the kept token"]
    window.qtbot.keyClicks(token.field, "hf_secret")
    window.click(token.save)
    window.wait(token.forget.isEnabled)
    assert token.field.text() == ""
    assert "hf_secret" not in token.state.text() and token.state.isVisible()
    assert keys.get("huggingface") == "hf_secret"
    window.click(token.forget)
    window.wait(lambda: not token.forget.isEnabled() and not token.state.isVisible())
    assert keys.get("huggingface") is None
    window.click(window.window.toaster.button)
    window.wait(token.forget.isEnabled)
    assert keys.get("huggingface") == "hf_secret"
