"""What can be clicked in a row, and where."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from PySide6.QtCore import QPointF, QRectF

from workbench.ui.tr import tr
from workbench.ui.transcript.items import Action
from workbench.ui.transcript.metrics import Metrics
from workbench.ui.transcript.pieces import Documents, Piece
from workbench.ui.transcript.row import Row


class Kind(StrEnum):
    TOGGLE = "toggle"
    ACTION = "action"
    MENU = "menu"
    PREVIOUS = "previous_sibling"
    NEXT = "next_sibling"
    COPY_CODE = "copy_code"
    WRAP_CODE = "wrap_code"
    COPY_ERROR = "copy_error"
    LINK = "link"
    CHIP = "chip"


@dataclass(frozen=True, slots=True)
class Target:
    """Something clickable. `value`: the action's id, the link's address, the attachment's name."""

    kind: Kind
    row: int
    value: str = ""
    piece: Piece | None = None
    panel: int = 0

    def tip(self, actions: list[Action]) -> str:
        match self.kind:
            case Kind.ACTION:
                return next((action.title for action in actions if action.id == self.value), "")
            case Kind.MENU:
                return tr("More")
            case Kind.PREVIOUS:
                return tr("Previous version")
            case Kind.NEXT:
                return tr("Next version")
            case Kind.COPY_CODE:
                return tr("Copy code")
            case Kind.WRAP_CODE:
                return tr("Wrap long lines")
            case Kind.LINK | Kind.CHIP:
                return self.value
        return ""


@dataclass(slots=True)
class Bar:
    """The line below a message: versions, footer, buttons."""

    previous: QRectF
    count: QRectF
    next: QRectF
    footer: QRectF
    buttons: list[tuple[Action, QRectF]]
    menu: QRectF

    @classmethod
    def of(cls, row: Row, metrics: Metrics, actions: list[Action], *, buttons_shown: bool) -> Bar:
        box = row.places.bar
        side = min(metrics.px(26), box.height())
        top = box.top() + (box.height() - side) / 2
        shown = [action for action in actions if action.in_bar]
        room = int((box.width() - 3 * side) // max(1, side))
        del shown[max(0, room) :]
        in_menu = len(shown) < len(actions)
        count = (len(shown) + in_menu) if buttons_shown else 0
        right = box.right()
        left = box.left()
        empty = QRectF()
        bar = cls(empty, empty, empty, empty, [], empty)
        switcher = row.item.sibling[1] > 1
        label = metrics.small_metrics.horizontalAdvance("{}/{}".format(*row.item.sibling)) + metrics.px(4)
        if row.item.role == "user":
            if switcher:
                right = bar._switcher(right - 2 * side - label, top, side, label)
            start = right - count * side
        else:
            if switcher:
                bar._switcher(left, top, side, label)
                left += 2 * side + label + metrics.px(6)
            start = right - count * side
        x = start
        if buttons_shown:
            for action in shown:
                bar.buttons.append((action, QRectF(x, top, side, side)))
                x += side
            if in_menu:
                bar.menu = QRectF(x, top, side, side)
        bar.footer = QRectF(left, box.top(), max(0.0, start - left - metrics.px(6)), box.height())
        return bar

    def _switcher(self, x: float, top: float, side: float, label: float) -> float:
        self.previous = QRectF(x, top, side, side)
        self.count = QRectF(x + side, top, label, side)
        self.next = QRectF(x + side + label, top, side, side)
        return x

    def hit(self, point: QPointF, index: int) -> Target | None:
        if self.previous.contains(point):
            return Target(Kind.PREVIOUS, index)
        if self.next.contains(point):
            return Target(Kind.NEXT, index)
        if self.menu.contains(point):
            return Target(Kind.MENU, index)
        for action, rect in self.buttons:
            if rect.contains(point):
                return Target(Kind.ACTION, index, action.id)
        return None


def bar_of(row: Row, metrics: Metrics, actions: list[Action], *, pointed_at: bool, last: bool) -> Bar:
    """The line below a message. The last answer keeps its buttons when nobody points at it, where they cut nothing."""
    shown = pointed_at and not row.item.streaming
    bar = Bar.of(row, metrics, actions, buttons_shown=shown)
    if shown or not last or row.item.streaming or row.item.role != "assistant":
        return bar
    full = Bar.of(row, metrics, actions, buttons_shown=True)
    return full if metrics.small_metrics.horizontalAdvance(row.item.footer) <= full.footer.width() else bar


def code_buttons(panel: QRectF, header_px: float, metrics: Metrics, *, wrap: bool) -> tuple[QRectF, QRectF]:
    """(copy, wrap) in the header of a code panel; `wrap` is empty where it is not needed."""
    side = min(float(metrics.px(24)), header_px - 2)
    top = panel.top() + (header_px - side) / 2
    copy = QRectF(panel.right() - side - metrics.px(5), top, side, side)
    return copy, copy.translated(-side - metrics.px(2), 0) if wrap else QRectF()


def hit_row(row: Row, index: int, point: QPointF, metrics: Metrics, documents: Documents, bar: Bar) -> Target | None:
    """What is clickable at `point` (in the row's coordinates)."""
    places = row.places
    if places.toggle.contains(point):
        return Target(Kind.TOGGLE, index)
    if places.error_button.contains(point):
        return Target(Kind.COPY_ERROR, index)
    for name, rect in places.chips:
        if rect.contains(point):
            return Target(Kind.CHIP, index, name)
    found = bar.hit(point, index)
    if found is not None:
        return found
    for piece in row.shown_pieces():
        inside = QPointF(point.x() - piece.x, point.y() - piece.y)
        if 0 <= inside.y() < piece.height and -4 <= inside.x() <= piece.width + 4:
            return _hit_piece(piece, index, inside, metrics, documents)
    return None


def _hit_piece(piece: Piece, index: int, point: QPointF, metrics: Metrics, documents: Documents) -> Target | None:
    rendering = documents.cached(piece)
    if rendering is None:
        return None
    style = rendering.markdown.style
    for panel in rendering.panels.all():
        if panel.rect.contains(point):
            wrappable = rendering.panels.overflow(panel) > 0 or panel.number in rendering.panels.wrapped
            copy, wrap = code_buttons(panel.rect, style.code_header_px, metrics, wrap=wrappable)
            if copy.contains(point):
                return Target(Kind.COPY_CODE, index, piece=piece, panel=panel.number)
            if wrap.contains(point):
                return Target(Kind.WRAP_CODE, index, piece=piece, panel=panel.number)
            return None
    url = rendering.markdown.document.documentLayout().anchorAt(point)
    return Target(Kind.LINK, index, url, piece=piece) if url else None
