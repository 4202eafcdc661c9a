"""Mouse input of the transcript: hover, clicks, selecting, dragging text out, scrolling code sideways."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, QObject, QPointF, Qt, QTimer, Slot
from PySide6.QtGui import QCursor, QDrag, QMouseEvent, QTextCursor, QWheelEvent
from PySide6.QtWidgets import QApplication

from workbench.ui.transcript.targets import Kind, Target

if TYPE_CHECKING:
    from workbench.ui.transcript.view import TranscriptView

AUTO_SCROLL_MS = 30
_UNITS = {2: QTextCursor.SelectionType.WordUnderCursor, 3: QTextCursor.SelectionType.BlockUnderCursor}


class MouseControl(QObject):
    def __init__(self, view: TranscriptView) -> None:
        super().__init__(view)
        self._view = view
        self.selecting = False
        self._clicks = 1
        self._pressed: Target | None = None
        self._press_point = QPointF()
        self._last_point = QPointF()
        self._may_drag = False
        self._third_click = QTimer(self, singleShot=True)
        self._auto_scroll = QTimer(self, interval=AUTO_SCROLL_MS)
        self._auto_scroll.timeout.connect(self._scroll_on)

    def press(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            event.ignore()
            return
        point = event.position()
        self._press_point = self._last_point = point
        self._pressed = self._view.target_at(point)
        if self._pressed is not None and self._pressed.kind is not Kind.LINK:
            return
        if self._third_click.isActive() and (point - self._last_point).manhattanLength() < 6:
            self._third_click.stop()
            self._begin(point, 3)
            return
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._clicks = 1
            self.selecting = True
            self._extend(point)
            return
        if self._is_selected(point):
            self._may_drag = True
            return
        if self._pressed is None:
            self._begin(point, 1)

    def double_click(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        self._pressed = self._view.target_at(event.position())
        if self._pressed is not None:
            return
        self._last_point = self._press_point = event.position()
        self._begin(event.position(), 2)
        self._third_click.start(QApplication.doubleClickInterval())

    def move(self, event: QMouseEvent) -> None:
        point = event.position()
        self._last_point = point
        if not event.buttons() & Qt.MouseButton.LeftButton:
            self._hover(point)
            return
        moved = (point - self._press_point).manhattanLength() >= QApplication.startDragDistance()
        if self._may_drag:
            if moved:
                self._may_drag = False
                self._drag_out()
            return
        if self._pressed is not None and self._pressed.kind is Kind.LINK and moved:
            self._pressed = None  # selecting begins on a link
            self._begin(self._press_point, 1)
        if self.selecting:
            self._extend(point)
            height = self._view.viewport().height()
            if not 0 <= point.y() < height:
                if not self._auto_scroll.isActive():
                    self._auto_scroll.start()
            else:
                self._auto_scroll.stop()

    def release(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        self._auto_scroll.stop()
        pressed, self._pressed = self._pressed, None
        self.selecting = False
        if self._may_drag:
            self._may_drag = False
            if pressed is None:
                self._view.clear_selection()
        if pressed is not None and self._view.target_at(event.position()) == pressed:
            self._view.activate(pressed)
        self._hover(event.position())

    def wheel(self, event: QWheelEvent) -> bool:
        """Scroll the code under the mouse sideways; False if the wheel was not for that."""
        delta = event.pixelDelta().x() or event.angleDelta().x()
        if not delta and event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            delta = event.pixelDelta().y() or event.angleDelta().y()
        if not delta:
            return False
        board = self._view.board
        content = self._view.to_content(event.position())
        index = self._view.row_at(event.position())
        if index < 0:
            return False
        y = content.y() - board.stack.tops[index]
        for piece in board.stack.rows[index].shown_pieces():
            rendering = board.documents.cached(piece)
            if rendering is None or not piece.y <= y < piece.y + piece.height:
                continue
            for panel in rendering.panels.all():
                overflow = rendering.panels.overflow(panel)
                if overflow > 0 and panel.rect.contains(QPointF(content.x() - piece.x, y - piece.y)):
                    old = rendering.panels.offsets.get(panel.number, 0.0)
                    rendering.panels.offsets[panel.number] = max(0.0, min(overflow, old - delta))
                    self._view.viewport().update()
                    event.accept()
                    return True
        return False

    def refresh_hover(self) -> None:
        """The content moved under the mouse."""
        viewport = self._view.viewport()
        if viewport.underMouse() and not self.selecting:
            self._hover(QPointF(viewport.mapFromGlobal(QCursor.pos())))

    def _hover(self, point: QPointF) -> None:
        view = self._view
        view.set_hover(view.row_at(point), view.target_at(point))
        target = view.target_at(point)  # the hovered row's buttons are there only now
        view.set_hover(view.row_at(point), target)
        shape = Qt.CursorShape.ArrowCursor
        if target is not None and target.kind is not Kind.CHIP:
            shape = Qt.CursorShape.PointingHandCursor
        elif view.board.is_on_text(view.to_content(point)):
            shape = Qt.CursorShape.IBeamCursor
        if view.viewport().cursor().shape() != shape:
            view.viewport().setCursor(shape)

    def _begin(self, point: QPointF, clicks: int) -> None:
        board = self._view.board
        position = board.position_at(self._view.to_content(point))
        self._clicks = clicks
        self.selecting = position is not None
        if position is not None:
            if clicks == 1 or not board.stack.rows[position.row].pieces:
                board.selection.begin(position)
            else:
                board.selection.begin_with(*board.word_at(position, _UNITS[clicks]))
        self._view.viewport().update()

    def _extend(self, point: QPointF) -> None:
        board = self._view.board
        position = board.position_at(self._view.to_content(point))
        if position is None:
            return
        if self._clicks == 1 or not board.stack.rows[position.row].pieces:
            board.selection.extend(position)
        else:
            board.selection.extend(*board.word_at(position, _UNITS[self._clicks]))
        self._view.viewport().update()

    def _is_selected(self, point: QPointF) -> bool:
        board = self._view.board
        ordered = board.selection.ordered()
        content = self._view.to_content(point)
        if ordered is None or not board.is_on_text(content):
            return False
        position = board.position_at(content)
        return position is not None and ordered[0] <= position < ordered[1]

    def _drag_out(self) -> None:
        drag = QDrag(self._view)
        data = QMimeData()
        data.setText(self._view.selected_text())
        drag.setMimeData(data)
        drag.exec(Qt.DropAction.CopyAction)

    @Slot()
    def _scroll_on(self) -> None:
        """The mouse is held outside: scroll, the faster the farther it is."""
        y = self._last_point.y()
        height = self._view.viewport().height()
        distance = y if y < 0 else max(0.0, y - height + 1)
        self._view.scroll_by(int(max(-80, min(80, distance))) or (1 if distance > 0 else -1))
        inside = QPointF(self._last_point.x(), max(0.0, min(y, height - 1.0)))
        self._extend(inside)
