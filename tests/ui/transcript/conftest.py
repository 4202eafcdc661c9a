from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
from PySide6.QtCore import QPoint, QPointF
from PySide6.QtGui import QFont, QGuiApplication
from pytestqt.qtbot import QtBot

from workbench.ui.markdown import MathRenderer
from workbench.ui.transcript import Action, TranscriptItem, TranscriptView

ACTIONS = [
    Action("copy", "Copy", "copy"),
    Action("regenerate", "Regenerate", "refresh-cw"),
    Action("delete", "Delete", "trash-2", in_bar=False),
]


@pytest.fixture(scope="session")
def math_renderer(qapp: object) -> Iterator[MathRenderer]:
    renderer = MathRenderer()
    yield renderer
    renderer.close()


@pytest.fixture
def view(qtbot: QtBot, math_renderer: MathRenderer) -> TranscriptView:
    font = QFont()
    font.setFamilies(["Inter", "DejaVu Sans"])
    QGuiApplication.setFont(font)
    widget = TranscriptView(math_renderer=math_renderer)
    qtbot.addWidget(widget)
    widget.resize(700, 500)
    for role in ("user", "assistant"):
        widget.set_actions(role, ACTIONS)  # type: ignore[arg-type]
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def user(key: str, text: str, **more: object) -> TranscriptItem:
    return TranscriptItem(key=key, role="user", text=text, **more)  # type: ignore[arg-type]


def answer(key: str, text: str, **more: object) -> TranscriptItem:
    return TranscriptItem(key=key, role="assistant", text=text, title="Model", **more)  # type: ignore[arg-type]


def conversation(count: int) -> list[TranscriptItem]:
    items = []
    for index in range(count):
        text = f"Message number {index}. " + "Some words to fill a few lines of it. " * (index % 7 + 1)
        items.append(user(f"m{index}", text) if index % 2 == 0 else answer(f"m{index}", text + "\n\n- one\n- two"))
    return items


@pytest.fixture
def point_of(view: TranscriptView) -> Callable[[str, str], QPoint]:
    """Where the first character of some text of a message is, in the viewport."""

    def find(key: str, text: str, after: int = 0) -> QPoint:
        view.viewport().repaint()
        index = view.board.stack.index(key)
        row = view.board.stack.rows[index]
        for piece in row.shown_pieces():
            document = view.board.rendering(piece).markdown.document
            offset = document.toPlainText().find(text)
            if offset < 0:
                continue
            offset += after
            block = document.findBlock(offset)
            line = block.layout().lineForTextPosition(offset - block.position())
            x = line.cursorToX(offset - block.position())
            rect = document.documentLayout().blockBoundingRect(block)
            base = rect.topLeft() - block.layout().boundingRect().topLeft()
            left = float(x[0] if isinstance(x, Sequence) else x)
            content = QPointF(base.x() + left + 1, base.y() + line.y() + line.height() / 2)
            top = view.board.stack.tops[index] - view.verticalScrollBar().value()
            return QPointF(view.board.left + piece.x + content.x(), top + piece.y + content.y()).toPoint()
        raise AssertionError(f"{text!r} is not in {key}")

    return find
