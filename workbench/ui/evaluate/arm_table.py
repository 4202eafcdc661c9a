"""The table of contestants: scores with their intervals as pictures, errors, times, cost."""

from __future__ import annotations

import math

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QSizePolicy,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
)

from workbench.evaluation.analysis import ArmSummary
from workbench.ui.formats import decimal, exact_money, number, percent
from workbench.ui.theme import Theme
from workbench.ui.tr import mark, tr

ARM_COLUMNS = (
    mark("Model"),
    mark("Prompt"),
    mark("Score"),
    mark("95 % interval"),
    mark("Cases"),
    mark("Errors"),
    mark("Median"),
    "p95",
    mark("Tokens/s"),
    mark("1,000 cases"),
)
INTERVAL_COLUMN = 3
RATE_ROLE = Qt.ItemDataRole.UserRole + 1


class RateDelegate(QStyledItemDelegate):
    """A score between 0 and 100 as a dot on its interval, below the numbers."""

    def __init__(self, theme: Theme, parent: QTableWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().paint(painter, option, index)
        rate = index.data(RATE_ROLE)
        if rate is None:
            return
        low, estimate, high = rate
        tokens = self._theme.tokens
        area = option.rect.adjusted(10, 0, -10, 0)
        y = area.bottom() - 6.0

        def x(share: float) -> float:
            return float(area.left() + share * area.width())

        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for color, start, end in ((tokens.border, 0.0, 1.0), (tokens.accent, low, high)):
            painter.setPen(QPen(QColor(color), 3, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawLine(QPointF(x(start), y), QPointF(x(end), y))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tokens.accent))
        painter.drawEllipse(QPointF(x(estimate), y), 4, 4)
        painter.restore()


def arm_table(arms: tuple[ArmSummary, ...], theme: Theme) -> QTableWidget:
    table = QTableWidget(len(arms), len(ARM_COLUMNS))
    table.setObjectName("flatTable")
    table.setAccessibleName(tr("Models with their scores"))
    table.setHorizontalHeaderLabels([tr(title) for title in ARM_COLUMNS])
    table.verticalHeader().hide()
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    for row, arm in enumerate(arms):
        for column, text in enumerate(_arm_texts(arm)):
            item = QTableWidgetItem(text)
            item.setToolTip(text)
            if column == INTERVAL_COLUMN and not math.isnan(arm.rate.estimate):
                limits = (arm.rate.low, arm.rate.estimate, arm.rate.high)
                item.setData(RATE_ROLE, tuple(max(0.0, min(1.0, value)) for value in limits))
            if column >= 2:
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            table.setItem(row, column, item)
    for column in range(len(ARM_COLUMNS)):
        head = table.horizontalHeaderItem(column)
        if head is not None:
            side = Qt.AlignmentFlag.AlignLeft if column < 2 else Qt.AlignmentFlag.AlignRight
            head.setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)
    header = table.horizontalHeader()
    header.setStyleSheet("QHeaderView::section { padding-left: 3px; padding-right: 3px; }")  # as the cells have it
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    header.setMinimumSectionSize(60)
    header.setSectionResizeMode(INTERVAL_COLUMN, QHeaderView.ResizeMode.Fixed)
    header.resizeSection(INTERVAL_COLUMN, table.fontMetrics().horizontalAdvance("100.0 – 100.0 %") + 40)
    table.setItemDelegateForColumn(INTERVAL_COLUMN, RateDelegate(theme, table))
    line = table.fontMetrics().height() + 22
    table.verticalHeader().setDefaultSectionSize(line)
    table.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    table.setFixedHeight(line * len(arms) + line + 8)
    return table


def _arm_texts(arm: ArmSummary) -> tuple[str, ...]:
    rate = arm.rate
    known = arm.answered > 0 and not math.isnan(rate.estimate)
    name = arm.contestant
    if arm.recorded:
        cost = tr("recorded")
    elif arm.cost_per_1000_usd is None:
        cost = tr("unknown")
    else:
        cost = exact_money(arm.cost_per_1000_usd)
    return (
        name,
        arm.prompt,
        percent(rate.estimate, 1) if known else "–",
        f"{decimal(max(0.0, rate.low) * 100)} – {percent(min(1.0, rate.high), 1)}" if known else "–",
        number(arm.answered),
        number(arm.errors),
        _seconds(arm.latency_median_s),
        _seconds(arm.latency_p95_s),
        "–" if arm.tokens_per_s is None else number(arm.tokens_per_s),
        cost,
    )


def _seconds(value: float | None) -> str:
    return "–" if value is None else tr("{count} s", count=decimal(value, 2))
