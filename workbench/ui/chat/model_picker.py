"""Choosing the model: a searchable list, the local ones first, then each provider's."""

from __future__ import annotations

from PySide6 import QtWidgets
from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, QPoint, QRect, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFont, QKeyEvent, QPainter, QPalette, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QLineEdit,
    QListView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from workbench.core.models import ModelInfo
from workbench.ui import icons
from workbench.ui.formats import count_text, price, size_text
from workbench.ui.icons import PushButton
from workbench.ui.palette import match
from workbench.ui.tr import tr

WIDTH = 440
MAX_HEIGHT = 420
ID_ROLE = Qt.ItemDataRole.UserRole + 1
DETAIL_ROLE = Qt.ItemDataRole.UserRole + 2
ICON_ROLE = Qt.ItemDataRole.UserRole + 3


def provider_title(info: ModelInfo) -> str:
    """The group a model stands in: its provider, or this machine, whichever program answers there."""
    if not info.remote:
        return tr("On this machine")
    return info.provider_title or info.provider.replace("_", " ").title()


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


Index = QModelIndex | QPersistentModelIndex


class ModelDelegate(QStyledItemDelegate):
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
            painter.drawText(option.rect.adjusted(12, 0, 0, -3), flags, index.data())
            painter.restore()
            return
        rect = option.rect.adjusted(2, 1, -2, -1)
        if option.state & QtWidgets.QStyle.StateFlag.State_Selected:
            color = QColor(palette.color(QPalette.ColorRole.Highlight))
            color.setAlpha(40)
            painter.setBrush(color)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.drawRoundedRect(rect, 7, 7)
        area = QRect(rect.left() + 10, rect.center().y() - 8, 17, 17)
        icons.icon(index.data(ICON_ROLE), muted.name(), 17).paint(painter, area)
        room = rect.adjusted(38, 6, -10, -6)
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


class ModelPicker(QFrame):
    """A popup under the button that opened it."""

    chosen = Signal(str)
    open_file_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint)
        self.setObjectName("popup")
        self.setAttribute(Qt.WidgetAttribute.WA_TranslucentBackground, False)
        self.setAccessibleName(tr("Choose a model"))
        self._models: list[ModelInfo] = []
        self._current = ""
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(6)
        self.field = QLineEdit()
        self.field.setPlaceholderText(tr("Search models"))
        self.field.setAccessibleName(tr("Search models"))
        self.field.textChanged.connect(self._fill)
        self.field.installEventFilter(self)
        column.addWidget(self.field)
        self.list = QListView()
        self.list.setAccessibleName(tr("Models"))
        self.list.setItemDelegate(ModelDelegate(self.list))
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.list.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.list.clicked.connect(self._choose)
        column.addWidget(self.list, 1)
        self._rows = QStandardItemModel(self)
        self.list.setModel(self._rows)
        self.open_file = PushButton(tr("Open a GGUF file…"), icon_name="file")
        self.open_file.clicked.connect(self._open_file)
        column.addWidget(self.open_file)

    def open_below(self, anchor: QWidget, models: list[ModelInfo], current: str) -> None:
        """Show the models under `anchor`, `current` selected."""
        self._models, self._current = models, current
        self.field.clear()
        self._fill("")
        height = sum(self.list.sizeHintForRow(row) for row in range(self._rows.rowCount()))
        self.resize(WIDTH, min(height + 110, MAX_HEIGHT))
        self.move(anchor.mapToGlobal(QPoint(0, anchor.height() + 4)))
        self.show()
        self.field.setFocus(Qt.FocusReason.PopupFocusReason)

    @Slot(str)
    def _fill(self, query: str) -> None:
        self._rows.clear()
        local = [info for info in self._models if not info.remote]
        remote = sorted((info for info in self._models if info.remote), key=lambda info: (info.provider, info.name))
        heading = ""
        wanted: QModelIndex | None = None
        for info in [*local, *remote]:
            if "embeddings" in info.capabilities and "text" not in info.capabilities and len(info.capabilities) == 1:
                continue
            if match(query, f"{info.name} {info.id}") is None:
                continue
            title = provider_title(info)
            if title != heading:
                heading = title
                item = QStandardItem(title)
                item.setFlags(Qt.ItemFlag.NoItemFlags)
                self._rows.appendRow(item)
            item = QStandardItem(info.name)
            item.setData(info.id, ID_ROLE)
            item.setData(detail(info) or info.id, DETAIL_ROLE)
            item.setData("cloud" if info.remote else "cpu", ICON_ROLE)
            item.setData(f"{info.name}, {title}, {detail(info)}", Qt.ItemDataRole.AccessibleTextRole)
            item.setToolTip(info.id)
            self._rows.appendRow(item)
            if wanted is None or info.id == self._current:
                wanted = item.index()
        if wanted is not None:
            self.list.setCurrentIndex(wanted)
            self.list.scrollTo(wanted)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress:
            return False
        key = event.key()
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._choose(self.list.currentIndex())
        elif key == Qt.Key.Key_Down:
            self._step(1)
        elif key == Qt.Key.Key_Up:
            self._step(-1)
        elif key == Qt.Key.Key_Escape:
            self.hide()
        else:
            return False
        return True

    def _step(self, step: int) -> None:
        row = self.list.currentIndex().row() + step
        while 0 <= row < self._rows.rowCount():
            if self._rows.item(row).data(ID_ROLE) is not None:
                self.list.setCurrentIndex(self._rows.index(row, 0))
                return
            row += step

    @Slot(QModelIndex)
    def _choose(self, index: QModelIndex) -> None:
        model_id = index.data(ID_ROLE)
        if isinstance(model_id, str):
            self.hide()
            self.chosen.emit(model_id)

    @Slot()
    def _open_file(self) -> None:
        self.hide()
        self.open_file_requested.emit()
