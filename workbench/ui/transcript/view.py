"""The transcript widget: paints what is in view, streams into it, and never builds what is not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QDragEnterEvent,
    QDropEvent,
    QFocusEvent,
    QGuiApplication,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QShowEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QFrame, QToolTip, QWidget

from workbench.ui.markdown.formulas import MathRenderer
from workbench.ui.tokens import LIGHT, Tokens
from workbench.ui.tr import tr
from workbench.ui.transcript import accessible
from workbench.ui.transcript.board import Board
from workbench.ui.transcript.commands import Commands
from workbench.ui.transcript.finder import Finder, marks, show_hit
from workbench.ui.transcript.items import Action, ItemRole, TranscriptItem
from workbench.ui.transcript.jump_button import JumpButton
from workbench.ui.transcript.keys import KeyControl
from workbench.ui.transcript.menu import below_bar, build_menu
from workbench.ui.transcript.metrics import MAX_SCALE, MIN_SCALE, Metrics
from workbench.ui.transcript.mouse import MouseControl
from workbench.ui.transcript.pieces import Piece
from workbench.ui.transcript.row import Row
from workbench.ui.transcript.row_painter import Look, RowPainter
from workbench.ui.transcript.scroller import Scroller
from workbench.ui.transcript.streaming import Streaming
from workbench.ui.transcript.targets import Kind, Target, bar_of, hit_row


class TranscriptView(QAbstractScrollArea):
    """Shows `TranscriptItem`s. Holds no truth: the window hands items in and acts on the signals."""

    link_activated = Signal(str)
    link_hovered = Signal(str)
    """The address under the mouse, empty when there is none any more."""
    action_requested = Signal(str, str)
    """(key of the message, id of the action)"""
    code_copied = Signal(str)
    following_changed = Signal(bool)
    context_menu_requested = Signal(str, QPoint)
    """(key, global position). Where it is connected, the window shows the menu instead of the view."""
    files_dropped = Signal(list)
    """Paths (str) of local files dropped onto the transcript."""
    speaks_messages = True
    """For screen readers it is a list of messages: see `accessible`."""

    def __init__(self, parent: QWidget | None = None, *, math_renderer: MathRenderer | None = None) -> None:
        accessible.install()  # first: Qt keeps what it once made for a widget
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAcceptDrops(True)
        self.viewport().setMouseTracking(True)
        self.viewport().setCursor(Qt.CursorShape.ArrowCursor)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._math = math_renderer or MathRenderer(self)
        self._math.ready.connect(self._on_formulas_ready)
        families = tuple(QApplication.font().families())
        self.board = Board(Metrics(LIGHT, families), self._math)
        self._painter = RowPainter(self.board.metrics, self.board.documents)
        self._background = ""
        self._actions: dict[str, list[Action]] = {}
        self._hovered = -1
        self._target: Target | None = None
        self._streaming = Streaming(self)
        self.current = -1
        """The row the keyboard is at, -1 for none."""
        self.finder = Finder(self.board)
        self.mouse = MouseControl(self)
        self.commands = Commands(self)
        self._keys = KeyControl(self)
        self.jump = JumpButton(self)
        self.scroller = Scroller(self)
        self.jump.clicked.connect(self.scroll_to_end)
        self.verticalScrollBar().setSingleStep(40)
        self.setAccessibleName(tr("Conversation"))  # last: a running screen reader asks at once what this is

    # Items

    @property
    def items(self) -> list[TranscriptItem]:
        return [row.item for row in self.board.stack.rows]

    def item(self, key: str) -> TranscriptItem | None:
        index = self.board.stack.find(key)
        return None if index is None else self.board.stack.rows[index].item

    def set_items(self, items: Sequence[TranscriptItem]) -> None:
        """Show another conversation, from its end."""
        self._reset_marks()
        self.board.documents.clear()
        self.board.documents.forget_live()
        self.board.set_viewport_width(self.viewport().width())
        self.board.stack.set_items(list(items), self.board.metrics, self.board.width)
        self.scroller.set_following(True)
        self.scroller.update_range()
        self.viewport().update()

    def append_item(self, item: TranscriptItem) -> None:
        self.board.stack.append(item, self.board.metrics, self.board.width)
        self.scroller.update_range()
        self.viewport().update()

    def update_item(self, key: str, item: TranscriptItem) -> None:
        """Show another state of the message; its unchanged texts are not rendered again. KeyError if unknown."""
        index = self.board.stack.index(key)
        row = self.board.stack.rows[index]
        row.replace(replace(item, key=key), self.board.documents)
        if not row.pieces:
            row.estimate(self.board.metrics, self.board.width)
        self.scroller.remeasure(index)

    def remove_item(self, key: str) -> None:
        index = self.board.stack.index(key)
        self._reset_marks()
        row = self.board.stack.remove(index, self.board.metrics)
        for piece in row.pieces:
            self.board.documents.forget(piece)
        self.scroller.update_range()
        self.viewport().update()

    def set_actions(self, role: ItemRole, actions: Sequence[Action]) -> None:
        self._actions[role] = list(actions)
        self.viewport().update()

    def actions_for(self, row: Row) -> list[Action]:
        return self._actions.get(row.item.role, [])

    # Streaming

    def begin_stream(self, key: str) -> None:
        """The message will get text by `feed`. KeyError if unknown."""
        self._streaming.begin(key)

    def set_status(self, key: str, status: str) -> None:
        """What is shown while there is no text yet, "Reading the prompt, 40 %"; empty: dots only."""
        self._streaming.set_status(key, status)

    def feed(self, key: str, text: str = "", reasoning: str = "") -> None:
        """Add streamed text; cheap, it is shown at the next `flush`."""
        self._streaming.feed(key, text, reasoning)

    def flush(self) -> None:
        """Show what was fed. Call about 30 times a second, from the window's shared timer, also when nothing came."""
        self._streaming.flush()

    def end_stream(self, key: str, item: TranscriptItem) -> None:
        """The message is complete; `item` is its last state. Texts equal to what was fed keep their documents."""
        self._streaming.end(key, item)

    # Look

    @property
    def tokens(self) -> Tokens:
        return self.board.metrics.tokens

    def set_tokens(self, tokens: Tokens) -> None:
        self._set_metrics(Metrics(tokens, self._families(), self.board.metrics.scale))
        self.jump.set_tokens(tokens)

    def set_background(self, color: str) -> None:
        """#rrggbb; empty: the palette's panel."""
        self._background = color
        self.viewport().update()

    @property
    def text_scale(self) -> int:
        return self.board.metrics.scale

    def set_text_scale(self, percent: int) -> None:
        """80 to 200; beyond it the nearest of these."""
        scale = max(MIN_SCALE, min(MAX_SCALE, percent))
        self._set_metrics(Metrics(self.tokens, self._families(), scale))

    def _families(self) -> tuple[str, ...]:
        return tuple(QApplication.font().families())

    def _set_metrics(self, metrics: Metrics) -> None:
        anchor = self.board.anchor(self.scroller.top, self.viewport().height())
        self.board.set_metrics(metrics)
        self._painter = RowPainter(metrics, self.board.documents)
        self.board.set_viewport_width(self.viewport().width())
        self.scroller.settle_with(anchor)
        self.viewport().update()

    # Scrolling

    @property
    def following(self) -> bool:
        """Whether the view stays at the end while text arrives."""
        return self.scroller.following

    @Slot()
    def scroll_to_end(self) -> None:
        self.scroller.to_end()

    def scroll_to(self, key: str) -> None:
        """Bring the message's beginning into view. KeyError if unknown."""
        self.scroller.show_message(key)

    def scroll_by(self, pixels: int) -> None:
        self.scroller.by(pixels)

    # Hits, hover, marks

    def to_content(self, point: QPointF) -> QPointF:
        """Viewport coordinates to the board's."""
        return QPointF(point.x() - self.board.left, point.y() + self.scroller.top)

    def target_at(self, point: QPointF) -> Target | None:
        """What is clickable at this place of the viewport."""
        content = self.to_content(point)
        index = self.row_at(point)
        if index < 0:
            return None
        row = self.board.stack.rows[index]
        inside = QPointF(content.x(), content.y() - self.board.stack.tops[index])
        pointed_at, last = index in (self._hovered, self.current), self._is_last(index)
        bar = bar_of(row, self.board.metrics, self.actions_for(row), pointed_at=pointed_at, last=last)
        return hit_row(row, index, inside, self.board.metrics, self.board.documents, bar)

    def _is_last(self, index: int) -> bool:
        return index == len(self.board.stack.rows) - 1

    def row_at(self, point: QPointF) -> int:
        """The row at this place of the viewport, -1 beyond them."""
        y = point.y() + self.scroller.top
        index = self.board.stack.at(y)
        if index < 0 or y > self.board.stack.tops[index] + self.board.stack.rows[index].height:
            return -1
        return index

    def set_hover(self, row: int, target: Target | None) -> None:
        if row != self._hovered:
            for index in (row, self._hovered):
                self.update_row(index)
            self._hovered = row
        if target != self._target:
            for changed in (target, self._target):
                if changed is not None:
                    self.update_row(changed.row)
            old, new = self._target, target
            self._target = target
            url = new.value if new is not None and new.kind is Kind.LINK else ""
            if url or (old is not None and old.kind is Kind.LINK):
                self.link_hovered.emit(url)

    def set_current(self, index: int) -> None:
        """Move the keyboard's place to a row (-1: none) and show it."""
        index = max(-1, min(index, len(self.board.stack.rows) - 1))
        old, self.current = self.current, index
        for changed in (old, index):
            self.update_row(changed)
        if index >= 0:
            self.scroller.ensure_visible(index, 0, self.board.stack.rows[index].height)
            accessible.focus_row(self, index)

    def activate(self, target: Target) -> None:
        """Do what a click on `target` does."""
        self.commands.activate(target)

    def trigger(self, index: int, action: str) -> None:
        """Run a message's action: "copy" here, everything else by the window."""
        self.commands.trigger(index, action)

    def set_expanded(self, key: str, expanded: bool) -> None:
        """Show or hide a message's reasoning."""
        index = self.board.stack.index(key)
        row = self.board.stack.rows[index]
        if row.expanded != expanded:
            row.load()
            row.expanded = expanded
            self.board.selection.clear()
            at_live_end = index == len(self.board.stack.rows) - 1 and row.item.streaming
            self.scroller.set_following(self.following and at_live_end)
            self.scroller.remeasure(index)

    def _reset_marks(self) -> None:
        self.board.selection.clear()
        self.finder.clear()
        self._hovered = self.current = -1
        self._target = self.commands.copied = None

    # Text

    def selected_text(self, *, markdown: bool = False) -> str:
        return self.board.selected_text(markdown=markdown)

    def clear_selection(self) -> None:
        if self.board.selection.clear():
            self.viewport().update()

    def select_all(self) -> None:
        self.board.select_all()
        self.viewport().update()

    def copy(self, *, markdown: bool = False) -> bool:
        """Copy the selection, or the current message. False if there is neither."""
        text = self.selected_text(markdown=markdown)
        if not text and self.current >= 0:
            text = self.board.stack.rows[self.current].text_of("body")
        if text:
            self.copy_to_clipboard(text)
        return bool(text)

    def copy_to_clipboard(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)

    def find(self, text: str) -> int:  # type: ignore[override]
        """Highlight `text` everywhere and go to the last message that has it; the number of hits."""
        count = self.finder.search(text)
        if count:
            self.find_next(backwards=True)
        self.viewport().update()
        return count

    def find_next(self, *, backwards: bool = False) -> tuple[int, int]:
        """Go to the next hit; (its number from 1, how many there are), (0, 0) without any."""
        show_hit(self, self.finder.step(backwards=backwards))
        self.viewport().update()
        return self.finder.place

    def open_menu(self, index: int, position: QPoint | None = None) -> None:
        """The message's menu, at `position` (global) or below its bar."""
        position = position or below_bar(self, index)
        meta = self.metaObject()
        signal = meta.method(meta.indexOfSignal("context_menu_requested(QString,QPoint)"))
        if self.isSignalConnected(signal):
            self.context_menu_requested.emit(self.board.stack.rows[index].item.key, position)
        else:
            build_menu(self, index).popup(position)

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        self.scroller.settle()
        painter = QPainter(self.viewport())
        clip = QRectF(event.rect())
        painter.fillRect(clip, QColor(self._background or self.tokens.panel))
        stack = self.board.stack
        left = self.board.left
        for index in stack.visible(self.scroller.top + clip.top() - 8, self.scroller.top + clip.bottom() + 8):
            row = stack.rows[index]
            y = stack.tops[index] - self.scroller.top
            painter.save()
            painter.translate(left, y)
            look = self._look(index, row)
            self._painter.paint(painter, row, clip.translated(-left, -y), look, self.actions_for(row))
            painter.restore()
        painter.end()

    def _look(self, index: int, row: Row) -> Look:
        target, copied = self._target, self.commands.copied
        return Look(
            hovered=index == self._hovered,
            current=index == self.current and self.hasFocus(),
            last=self._is_last(index),
            target=target if target is not None and target.row == index else None,
            copied=copied if copied is not None and copied.row == index else None,
            highlights=marks(self, index, row),
            phase=self._streaming.phase,
        )

    def update_row(self, index: int) -> None:
        if 0 <= index < len(self.board.stack.rows):
            row = self.board.stack.rows[index]
            self.update_rect(index, QRectF(-12, -8, self.board.width + 24, row.height + 16))

    def update_rect(self, index: int, rect: QRectF) -> None:
        y = self.board.stack.tops[index] - self.scroller.top
        self.viewport().update(rect.translated(self.board.left, y).toAlignedRect().adjusted(-2, -2, 2, 2))

    @Slot()
    def _on_formulas_ready(self) -> None:
        changed: set[Piece] = set()
        for piece, rendering in self.board.documents.renderings():
            if rendering.markdown.take_formulas():
                piece.exact = False
                changed.add(piece)
        if not changed:
            return
        for row in self.board.stack.rows:
            if not changed.isdisjoint(row.pieces):
                row.exact = False
        height = self.viewport().height()
        anchor = self.board.anchor(self.scroller.top, height)
        if self.board.measure(self.scroller.top, height):
            self.scroller.settle_with(anchor)
            self.viewport().update()
            return
        for index in self.board.stack.visible(self.scroller.top, self.scroller.top + height):
            for piece in changed.intersection(self.board.stack.rows[index].shown_pieces()):
                self.update_rect(index, QRectF(piece.x, piece.y, piece.width, piece.height))

    # Events

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            target = self.target_at(QPointF(event.pos()))
            actions = self.actions_for(self.board.stack.rows[target.row]) if target is not None else []
            tip = target.tip(actions) if target is not None else ""
            QToolTip.showText(event.globalPos(), tip, self.viewport())
            return True
        if event.type() == QEvent.Type.Leave:
            self.set_hover(-1, None)
        return super().viewportEvent(event)

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        if dy and abs(dy) < self.viewport().height():
            self.viewport().scroll(0, dy)
        else:
            self.viewport().update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        anchor = self.board.anchor(self.scroller.top, event.oldSize().height() if event.oldSize().isValid() else 0)
        self.board.set_viewport_width(self.viewport().width())
        self.scroller.settle_with(anchor)
        self.viewport().update()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.scroller.first_seen()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._math.ratio = max(2.0, self.devicePixelRatioF())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.mouse.press(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.mouse.move(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.mouse.release(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.mouse.double_click(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if not self.mouse.wheel(event):
            super().wheelEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self._keys.press(event):
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self._keys.focus_in(event.reason())

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update_row(self.current)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            if self.current >= 0:
                self.open_menu(self.current)
            return
        index = self.row_at(QPointF(event.pos()))
        if index >= 0:
            self.open_menu(index, event.globalPos())

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()) and event.source() is not self:
            event.acceptProposedAction()

    def dragMoveEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.files_dropped.emit(paths)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, 120)
