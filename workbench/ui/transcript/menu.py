"""The context menu of a message."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QMenu

from workbench.ui.tr import tr
from workbench.ui.transcript.targets import Bar

if TYPE_CHECKING:
    from workbench.ui.transcript.view import TranscriptView


def build_menu(view: TranscriptView, index: int) -> QMenu:
    """Copying first, then the actions the window gave for this role."""
    row = view.board.stack.rows[index]
    menu = QMenu(view)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    menu.setAccessibleName(tr("Message"))
    if not view.board.selection.is_empty:
        menu.addAction(tr("Copy selection")).triggered.connect(partial(_copy, view, markdown=False))
        menu.addAction(tr("Copy selection as Markdown")).triggered.connect(partial(_copy, view, markdown=True))
        menu.addSeparator()
    actions = view.actions_for(row)
    if not any(action.id == "copy" for action in actions):
        menu.addAction(tr("Copy message")).triggered.connect(partial(_trigger, view, row.item.key, "copy"))
    for action in actions:
        menu.addAction(action.title).triggered.connect(partial(_trigger, view, row.item.key, action.id))
    if row.text_of("reasoning"):
        menu.addSeparator()
        title = tr("Hide thoughts") if row.expanded else tr("Show thoughts")
        menu.addAction(title).triggered.connect(partial(_expand, view, row.item.key, not row.expanded))
    menu.addSeparator()
    menu.addAction(tr("Select all")).triggered.connect(view.select_all)
    return menu


def below_bar(view: TranscriptView, index: int) -> QPoint:
    """Where the menu of a message opens that was not asked for at a place: a global position, below its button."""
    board = view.board
    row = board.stack.rows[index]
    bar = Bar.of(row, board.metrics, view.actions_for(row), buttons_shown=True)
    button = row.places.bar if bar.menu.isEmpty() else bar.menu
    y = min(board.stack.tops[index] + button.bottom() - view.scroller.top, view.viewport().height() - 20)
    return view.viewport().mapToGlobal(QPoint(int(board.left + button.left()), int(max(0, y))))


def _copy(view: TranscriptView, _checked: bool = False, *, markdown: bool) -> None:
    view.copy(markdown=markdown)


def _trigger(view: TranscriptView, key: str, action: str, _checked: bool = False) -> None:
    index = view.board.stack.find(key)
    if index is not None:
        view.trigger(index, action)


def _expand(view: TranscriptView, key: str, expanded: bool, _checked: bool = False) -> None:
    if view.board.stack.find(key) is not None:
        view.set_expanded(key, expanded)
