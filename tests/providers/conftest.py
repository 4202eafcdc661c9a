from __future__ import annotations

from collections.abc import Iterator

import pytest

from workbench.providers import limits
from workbench.providers.http import close_clients

URL_VARIABLES = (
    "OPENAI_BASE_URL",
    "ANTHROPIC_BASE_URL",
    "GOOGLE_GEMINI_BASE_URL",
    "AZURE_OPENAI_ENDPOINT",
    "OLLAMA_HOST",
)


@pytest.fixture(autouse=True)
def no_shared_state(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No connection and no limit survives a test, no variable of the developer's leads elsewhere."""
    for name in URL_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(limits, "_limits", {})
    yield
    close_clients()
