"""What the tests of markdown share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from workbench.ui.markdown import MarkdownStyle, MathRenderer
from workbench.ui.tokens import LIGHT


@pytest.fixture
def math(qtbot: QtBot) -> Iterator[MathRenderer]:
    renderer = MathRenderer()
    yield renderer
    renderer.close()


@pytest.fixture
def style(qtbot: QtBot) -> MarkdownStyle:
    return MarkdownStyle(LIGHT, ["Inter", "DejaVu Sans"])
