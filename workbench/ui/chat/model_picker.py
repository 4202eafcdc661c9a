"""Choosing the model: a searchable list, the local ones first, then each provider's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from PySide6.QtCore import QModelIndex, QPoint, QRect, QSize, Qt, Signal, Slot
from PySide6.QtGui import QFont, QPainter, QPalette, QStandardItem
from PySide6.QtWidgets import (
    QApplication,
    QStyleOptionViewItem,
    QWidget,
)

from workbench.core.models import ModelInfo
from workbench.ui import icons
from workbench.ui.choice_list import ChoiceList, Index, Match, RowDelegate, match
from workbench.ui.flow import FlowLayout
from workbench.ui.formats import count_text, price, size_text
from workbench.ui.icons import PushButton, in_scale
from workbench.ui.tr import tr
from workbench.ui.widgets import mirrored

WIDTH = 440
MAX_HEIGHT = 420
EDGE = 8
"""Pixels the list keeps from the window's edges."""
ID_ROLE = Qt.ItemDataRole.UserRole + 1
DETAIL_ROLE = Qt.ItemDataRole.UserRole + 2
ICON_ROLE = Qt.ItemDataRole.UserRole + 3


def provider_title(info: ModelInfo) -> str:
    """The group a model stands in: its provider, or this machine, whichever program answers there."""
    if not info.remote:
        return tr("On this machine")
    return tr(info.provider_title) or info.provider.replace("_", " ").title()


def detail(info: ModelInfo) -> str:
    """One short line: quantisation, size, context, price."""
    parts = [info.quantization] if info.quantization else []
    if info.parameters:
        parts.append(count_text(info.parameters))
    if info.size_bytes:
        parts.append(size_text(info.size_bytes))
    if info.context_length:
        parts.append(tr("{size} context", size=_thousands(info.context_length)))
    if info.prices and info.prices.input is not None and info.prices.output is not None:
        parts.append(f"{price(info.prices.input)} / {price(info.prices.output)}")
    return " · ".join(parts)


def _thousands(tokens: int) -> str:
    return f"{round(tokens / 1024)}k" if tokens >= 1024 else str(tokens)


class ModelDelegate(RowDelegate):
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        line = option.fontMetrics.height()
        return QSize(0, line + 14 if index.data(ID_ROLE) is None else line * 2 + 16)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        palette = QApplication.palette()
        muted = palette.color(QPalette.ColorRole.PlaceholderText)
        small = QFont(option.font)
        small.setPixelSize(max(option.font.pixelSize() - 2, 8))
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if index.data(ID_ROLE) is None:
            small.setWeight(QFont.Weight.DemiBold)
            painter.setFont(small)
            painter.setPen(muted)
            flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom
            painter.drawText(mirrored(option, option.rect.adjusted(12, 0, 0, -3)), flags, index.data())
            painter.restore()
            return
        rect = self.paint_selection(painter, option)
        side = in_scale(17)
        area = mirrored(option, QRect(rect.left() + 10, rect.center().y() - side // 2, side, side))
        icons.icon(index.data(ICON_ROLE), muted.name(), side).paint(painter, area)
        room = mirrored(option, rect.adjusted(side + 21, 6, -10, -6))
        painter.setFont(option.font)
        painter.setPen(palette.color(QPalette.ColorRole.Text))
        elide = Qt.TextElideMode.ElideRight
        name = option.fontMetrics.elidedText(index.data(), elide, room.width())
        painter.drawText(room, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, name)
        painter.setFont(small)
        painter.setPen(muted)
        line = painter.fontMetrics().elidedText(index.data(DETAIL_ROLE), elide, room.width())
        painter.drawText(room, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom, line)
        painter.restore()


class ModelPicker(ChoiceList):
    """A popup under the button that opened it."""

    chosen = Signal(str)
    open_file_requested = Signal()
    more_requested = Signal()
    """The user wants models that are not here yet."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            ModelDelegate(),
            name=tr("Models"),
            placeholder=tr("Search models"),
            parent=parent,
            flags=Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint,
        )
        self.setAttribute(Qt.WidgetAttribute.WA_TranslucentBackground, False)
        self.setAccessibleName(tr("Choose a model"))
        self._models: list[ModelInfo] = []
        self._files: list[str] = []
        self._current = ""
        self._best: tuple[int, QModelIndex] | None = None
        """The row that fits what was typed best, and how well."""
        self.open_file = PushButton(tr("Open a GGUF file…"), icon_name="file")
        self.open_file.clicked.connect(self._open_file)
        self.more = PushButton(tr("Find more models…"), icon_name="search")
        self.more.clicked.connect(self._find_more)
        buttons = FlowLayout()
        buttons.addWidget(self.more)
        buttons.addWidget(self.open_file)
        self.column.addLayout(buttons)

    def open_below(self, anchor: QWidget, models: list[ModelInfo], current: str, files: Sequence[str] = ()) -> None:
        """Show the models under `anchor`, `current` selected. `files` are paths of GGUF files opened lately."""
        known = {info.path for info in models}
        self._models, self._current = models, current
        self._files = [path for path in files if path not in known]
        self.field.clear()
        self.fill("")
        height = sum(self.list.sizeHintForRow(row) for row in range(self.rows.rowCount()))
        window = anchor.window()
        place = anchor.mapTo(window, QPoint(0, anchor.height() + 4))
        room = QSize(window.width() - 2 * EDGE, window.height() - place.y() - EDGE)
        self.resize(QSize(in_scale(WIDTH), min(height + in_scale(96), in_scale(MAX_HEIGHT))).boundedTo(room))
        if self.isRightToLeft():
            place.setX(place.x() + anchor.width() - self.width())
        place.setX(max(EDGE, min(place.x(), window.width() - EDGE - self.width())))
        self.move(window.mapToGlobal(place))
        self.show()
        self.field.setFocus(Qt.FocusReason.PopupFocusReason)

    @Slot(str)
    def fill(self, query: str) -> None:
        self.rows.clear()
        self._best = None
        self._add_models([info for info in self._models if not info.remote], query)
        heading = tr("Files opened lately")
        for path in self._files:
            found = match(query, PurePath(path).name)
            if found is not None:
                if heading:
                    self.add_heading(heading)
                heading = ""
                self._add_row(path, (PurePath(path).name, str(PurePath(path).parent)), "file", found)
        remote = (info for info in self._models if info.remote)
        self._add_models(sorted(remote, key=lambda info: (info.provider, info.name)), query)
        if self._best is not None:
            self.select(self._best[1])
        else:
            self.add_heading(tr("Nothing found.") if query.strip() else tr("No models yet"))

    def _add_models(self, models: list[ModelInfo], query: str) -> None:
        heading = ""
        for info in models:
            found = match(query, f"{info.name} {info.id}")
            if info.capabilities == {"embeddings"} or found is None:
                continue
            if provider_title(info) != heading:
                heading = provider_title(info)
                self.add_heading(heading)
            texts = (info.name, detail(info) or info.id)
            self._add_row(info.id, texts, "cloud" if info.remote else "cpu", found, heading)

    def _add_row(self, model_id: str, texts: tuple[str, str], icon_name: str, found: Match, group: str = "") -> None:
        """`texts`: the name and the line below it."""
        item = QStandardItem(texts[0])
        item.setData(model_id, ID_ROLE)
        item.setData(texts[1], DETAIL_ROLE)
        item.setData(icon_name, ICON_ROLE)
        spoken = ", ".join(part for part in (texts[0], group, texts[1]) if part)
        item.setData(spoken, Qt.ItemDataRole.AccessibleTextRole)
        item.setToolTip(model_id)
        self.rows.appendRow(item)
        score = found.score - (model_id == self._current)  # of equals the one that is used now
        if self._best is None or score < self._best[0]:
            self._best = (score, item.index())

    def choose(self, index: QModelIndex) -> None:
        model_id = index.data(ID_ROLE)
        if isinstance(model_id, str):
            self.hide()
            self.chosen.emit(model_id)

    @Slot()
    def _find_more(self) -> None:
        self.hide()
        self.more_requested.emit()

    @Slot()
    def _open_file(self) -> None:
        self.hide()
        self.open_file_requested.emit()
