"""The head of a column: which model, where it runs, how fast, how much; and what can be done with the column."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QMimeData, QObject, QPoint, QRectF, Qt, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QDrag,
    QIcon,
    QMouseEvent,
    QPainter,
    QPalette,
    QPen,
    QPixmap,
    QRegion,
    QResizeEvent,
)
from PySide6.QtWidgets import QApplication, QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from workbench.core.models import ModelInfo
from workbench.core.runs import RunRecord
from workbench.ui.formats import decimal, exact_money, money, number
from workbench.ui.icons import IconButton, IconLabel
from workbench.ui.tr import tr, trn
from workbench.ui.widgets import ElidedLabel, label

DRAG_TYPE = "application/x-workbench-column"
NUMBERS_EDGES = 22
"""Pixels of the head beside the numbers."""
BRIEF_BELOW = 52
"""Characters; a narrower column shows its numbers in their short form."""
NARROW_BELOW = 34
"""Characters; a narrower column has no button for its settings."""


def where(info: ModelInfo | None) -> str:
    """Where a model runs, and how it is quantised."""
    if info is None:
        return ""
    provider = tr(info.provider_title) or info.provider.replace("_", " ").title()
    if info.remote:
        return provider
    if info.provider != "local" and info.provider_title:  # another program on this machine
        return tr("local · {program}", program=provider)
    return tr("local · {quantization}", quantization=info.quantization) if info.quantization else tr("local")


def cost_text(record: RunRecord) -> str:
    """The price of an answer; unknown is said, never 0. Local answers have none."""
    if not record.remote:
        return ""
    if record.cost_usd is None:  # without a single token there is nothing to ask about
        nothing_came = record.status == "failed" and record.completion_tokens is None and not record.text
        return "" if nothing_came else tr("cost unknown")
    return money(record.cost_usd)


def speed_text(tokens_per_s: float | None) -> str:
    return tr("{speed} tok/s", speed=decimal(tokens_per_s)) if tokens_per_s else ""


def first_token_text(seconds: float | None) -> str:
    return tr("TTFT {seconds} s", seconds=decimal(seconds, 2)) if seconds is not None else ""


def tokens_text(count: int | None) -> str:
    return trn("{count} token", "{count} tokens", count) if count else ""


def _brief(value: float) -> str:
    """With a digit after the point where it tells something."""
    return decimal(value) if value < 100 else number(round(value))


def _brief_seconds(seconds: float) -> str:
    return f"{decimal(seconds, 2 if seconds < 0.1 else 1)} s"


def _brief_count(count: int) -> str:
    return number(count) if count < 1000 else f"{_brief(count / 1000)}k"


def _brief_cost(usd: float) -> str:
    if usd < 0.001:
        return f"<{exact_money(0.001, 3)}"
    return money(usd) if usd >= 0.1 else exact_money(usd, 3)


class Stat(QWidget):
    """An icon and a number, in a long and a short form; hidden while there is none."""

    def __init__(self, icon_name: str, tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(3)
        self.icon = IconLabel(icon_name, 13)
        row.addWidget(self.icon)
        self.value = label("", "stat")
        row.addWidget(self.value)
        self._tip, self._long, self._short = tip, "", ""
        self._brief = False
        self.hide()

    @property
    def full_width(self) -> int:
        """Pixels with the icon."""
        return self.icon.sizeHint().width() + 3 + self.value.sizeHint().width()

    def set_text(self, long: str, short: str = "") -> None:
        if (long, short) != (self._long, self._short):
            self._long, self._short = long, short
            self._show()

    def set_brief(self, brief: bool) -> None:
        if brief != self._brief:
            self._brief = brief
            self._show()

    def _show(self) -> None:
        self.value.setText(self._short or self._long if self._brief else self._long)
        name = f"{self._tip}: {self._long}" if self._long else ""
        self.value.setAccessibleName(name)
        self.setToolTip(name)
        self.setVisible(bool(self._long))


class ColumnHeader(QFrame):
    """Shows what it is given; the column acts on its signals."""

    model_clicked = Signal()
    settings_clicked = Signal()
    retry_clicked = Signal()
    menu_wanted = Signal(QPoint)

    def __init__(self, key: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("columnHeader")
        self.key = key
        self._pressed: QPoint | None = None
        self._name_dragged = False
        """Since it was pressed: letting it go is no click."""
        self._hidden = False
        self._known = True
        self._both_marks = False
        self._running = self._retry_wanted = False
        self._cost: tuple[str, float | None] = ("", None)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 8, 8)
        column.setSpacing(4)
        column.addLayout(self._build_names())
        column.addWidget(self._build_place())
        column.addWidget(self._build_stats())

    def _build_names(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(4)
        self.icon = IconLabel("cpu", 17)
        row.addWidget(self.icon)
        self.name = IconButton("chevron-down", "", text="…", size=12, object_name="columnModel")
        self.name.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        self.name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.name.clicked.connect(self.model_clicked)
        self.name.installEventFilter(self)
        row.addWidget(self.name, 1)
        row.addSpacing(2)
        self.settings = IconButton("sliders-horizontal", tr("Settings of this column"), size=15)
        self.settings.clicked.connect(self.settings_clicked)
        row.addWidget(self.settings)
        self.retry = IconButton("rotate-ccw", tr("Ask this column again"), size=15)
        self.retry.clicked.connect(self.retry_clicked)
        row.addWidget(self.retry)
        self.more = IconButton("ellipsis", tr("More for this column"), size=15)
        self.more.clicked.connect(self._open_menu)
        row.addWidget(self.more)
        return row

    def _build_place(self) -> QWidget:
        """Where it runs, what is special about it, and its marks."""
        self.place = QWidget()
        row = QHBoxLayout(self.place)
        row.setContentsMargins(0, 0, 4, 0)
        row.setSpacing(8)
        self.badge = label("", "badge")
        row.addWidget(self.badge)
        self.summary = ElidedLabel("", "stat")
        row.addWidget(self.summary, 1)
        self.fastest, self.cheapest = label("", "badgeGood"), label("", "badgeGood")
        for mark in (self.fastest, self.cheapest):
            mark.hide()
            row.addWidget(mark)
        return self.place

    def _build_stats(self) -> QWidget:
        self.numbers = QWidget()
        row = self._stats_row = QHBoxLayout(self.numbers)
        row.setContentsMargins(1, 0, 4, 0)
        row.setSpacing(10)
        self.speed = Stat("zap", tr("Tokens a second"))
        self.first = Stat("clock", tr("Time to first token"))
        self.tokens = Stat("hash", tr("Tokens of the answer"))
        self.cost = Stat("circle-dollar-sign", tr("Cost of the answer"))
        self.none = label("–", "stat")
        row.addWidget(self.none)
        for stat in (self.speed, self.first, self.tokens, self.cost):
            row.addWidget(stat)
        row.addStretch(1)
        self.numbers.hide()
        return self.numbers

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        brief = self.width() < self.fontMetrics().horizontalAdvance("n") * BRIEF_BELOW
        for stat in (self.speed, self.first, self.tokens, self.cost):
            stat.set_brief(brief)
        self._stats_row.setSpacing(4 if self._is_narrow else 10)
        self._show_cost()
        self._fit_buttons()

    @property
    def _is_narrow(self) -> bool:
        return self.width() < self.fontMetrics().horizontalAdvance("n") * NARROW_BELOW

    def _fit_buttons(self) -> None:
        """The model's name goes first: in a narrow column the rest but stopping is left to the menu."""
        self._fit_numbers()
        self.settings.setVisible(not self._hidden and not self._is_narrow)
        self.retry.setVisible(self._retry_wanted and (self._running or not self._is_narrow))
        # Two marks take the badge's room; the icon and the name's tool tip tell the same.
        self.badge.setVisible(bool(self.badge.text()) and not (self._is_narrow and self._both_marks))

    def _fit_numbers(self) -> None:
        """Where the numbers would be cut, those that have a unit go without their icons."""
        shown = [stat for stat in (self.speed, self.first, self.tokens, self.cost) if not stat.isHidden()]
        needed = sum(stat.full_width + self._stats_row.spacing() for stat in shown)
        for stat in (self.speed, self.first, self.cost):
            stat.icon.setVisible(needed <= self.width() - NUMBERS_EDGES)

    # --- what the column sets ---------------------------------------------------------------------------------
    def show_model(self, name: str, info: ModelInfo | None, special: str, title: str) -> None:
        """`special`: what sets this column apart from others of the same model."""
        self._known = info is not None
        self.icon.set_icon("cloud" if info is not None and info.remote else "cpu")
        self.icon.show()
        self.name.setText(name)
        self.name.set_icon("chevron-down")
        self.name.setEnabled(True)
        place = where(info)
        self.name.set_title(tr("Model: {name}. Choose another", name=title))
        self.name.setToolTip(f"{title} – {place}" if place else title)
        self.badge.setText(place)
        self.place.show()
        self.summary.set_text(special)
        self._hidden = False
        self._fit_buttons()

    def show_hidden(self, name: str) -> None:
        """Nothing here tells who answers."""
        self.icon.hide()
        self.name.setText(name)
        self.name.set_title(name)
        self.name.setIcon(QIcon())
        self.name.setToolTip("")
        self.name.setEnabled(False)
        self.badge.setText("")
        self.summary.set_text("")
        self.place.hide()
        self.numbers.hide()
        self._hidden = True
        self._fit_buttons()
        self.clear_numbers()
        self.set_marks(fastest=False, cheapest=False)

    def show_numbers(self, shown: bool) -> None:
        """Keep a line for numbers: it must not come and go while answers are written."""
        self.numbers.setVisible(shown)

    def show_record(self, record: RunRecord) -> None:
        self._set(record.completion_tokens, record.decode_tokens_per_s, record.time_to_first_token_s)
        self._cost = (cost_text(record), record.cost_usd)
        self._show_cost()
        if not self._known:  # the model is in no list any more: the record knows where it ran
            self.icon.set_icon("cloud" if record.remote else "cpu")
            self.badge.setText(record.provider if record.remote else tr("local"))
            self._fit_buttons()

    def _show_cost(self) -> None:
        text, usd = self._cost
        short = text and ("?" if usd is None else _brief_cost(usd) if self._is_narrow else text)
        self.cost.set_text(text, short)
        self._fit_numbers()

    def show_live(self, tokens: int, tokens_per_s: float | None, first_s: float | None) -> None:
        self._set(tokens, tokens_per_s if tokens > 3 else None, first_s)
        self._cost = ("", None)
        self.cost.set_text("")

    def _set(self, tokens: int | None, tokens_per_s: float | None, first_s: float | None) -> None:
        self.speed.set_text(speed_text(tokens_per_s), f"{_brief(tokens_per_s)}/s" if tokens_per_s else "")
        self.first.set_text(first_token_text(first_s), _brief_seconds(first_s) if first_s is not None else "")
        self.tokens.set_text(tokens_text(tokens), _brief_count(tokens) if tokens else "")
        self._fit_numbers()
        self.none.setVisible(not (tokens or tokens_per_s or first_s is not None))

    def clear_numbers(self) -> None:
        self._cost = ("", None)
        for stat in (self.speed, self.first, self.tokens, self.cost):
            stat.set_text("")
        self.none.show()

    def set_marks(self, *, fastest: bool, cheapest: bool) -> None:
        for mark, shown, text in ((self.fastest, fastest, tr("fastest")), (self.cheapest, cheapest, tr("cheapest"))):
            mark.setText(text if shown else "")
            mark.setVisible(shown)
        self._both_marks = fastest and cheapest
        self._fit_buttons()

    def set_running(self, running: bool, *, asked: bool) -> None:
        """`asked`: there is an answer that can be stopped or asked for again."""
        self._retry_wanted = asked
        self._running = running
        self._fit_buttons()
        self.retry.set_icon("square" if running else "rotate-ccw")
        self.retry.set_title(tr("Stop this column") if running else tr("Ask this column again"))

    # --- menu and dragging ------------------------------------------------------------------------------------
    @Slot()
    def _open_menu(self) -> None:
        self.menu_wanted.emit(self.more.mapToGlobal(QPoint(0, self.more.height() + 2)))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._note_press(event)
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._is_dragged(event):
            self._drag(event.position().toPoint())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The name is a button; who takes the column by it and pulls wants to move the column."""
        if watched is not self.name or not isinstance(event, QMouseEvent):
            return False
        if event.type() in (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonDblClick):
            self._note_press(event)
            self._name_dragged = False
        elif event.type() == QEvent.Type.MouseMove and self._is_dragged(event):
            self._name_dragged = True
            self.name.setDown(False)
            self._drag(self.name.mapTo(self, event.position().toPoint()))
        return self._name_dragged

    def _note_press(self, event: QMouseEvent) -> None:
        self._pressed = event.globalPosition().toPoint() if event.button() == Qt.MouseButton.LeftButton else None

    def _is_dragged(self, event: QMouseEvent) -> bool:
        if self._pressed is None or not event.buttons() & Qt.MouseButton.LeftButton or self._hidden:
            return False
        moved = (event.globalPosition().toPoint() - self._pressed).manhattanLength()
        return moved >= QApplication.startDragDistance()

    def _drag(self, hot_spot: QPoint) -> None:
        self._pressed = None
        drag = QDrag(self)
        data = QMimeData()
        data.setData(DRAG_TYPE, self.key.encode())
        drag.setMimeData(data)
        drag.setPixmap(self._picture())
        drag.setHotSpot(hot_spot)
        drag.exec(Qt.DropAction.MoveAction)

    def _picture(self) -> QPixmap:
        """The head as a card that can be seen above the others."""
        picture = QPixmap(self.size() * self.devicePixelRatioF())
        picture.setDevicePixelRatio(self.devicePixelRatioF())
        picture.fill(QColor(0, 0, 0, 0))
        palette = QApplication.palette()  # the head's own has no ground, by the style sheet
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(palette.color(QPalette.ColorRole.Highlight), 1.5))
        painter.setBrush(palette.color(QPalette.ColorRole.Base))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 8, 8)
        self.render(painter, QPoint(), QRegion(), QWidget.RenderFlag.DrawChildren)
        painter.end()
        return picture

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu_wanted.emit(event.globalPos())
