"""The list of repositories: a model over the search's rows, and how a row is painted."""

from __future__ import annotations

from typing import Any

from PySide6 import QtWidgets
from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Slot
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPalette
from PySide6.QtWidgets import QApplication, QStyledItemDelegate, QStyleOptionViewItem

from workbench.hub.repos import RepoSummary
from workbench.services.fit import Fit, Machine
from workbench.ui import icons
from workbench.ui.formats import count_text, decimal
from workbench.ui.models.formats import (
    age_text,
    fit_badge,
    fit_text,
    is_slow,
    owner_of,
    repo_title,
    speed_text,
    tag_text,
    tokens_text,
)
from workbench.ui.models.parts import Row
from workbench.ui.models.search import Search
from workbench.ui.theme import Theme, scaled
from workbench.ui.tr import tr

Index = QModelIndex | QPersistentModelIndex
REPO_ROLE = Qt.ItemDataRole.UserRole + 1
PAD = 12
LOCK_SIZE = 14


class ResultsModel(QAbstractListModel):
    def __init__(self, search: Search) -> None:
        super().__init__(search)
        self._search = search
        self._rows: list[RepoSummary] = []
        self._fits: dict[str, Fit | None] = {}
        self._machine: Machine | None = None
        search.changed.connect(self._take_over)
        search.appended.connect(self._take_over)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not 0 <= index.row() < len(self._rows):
            return None
        repo = self._rows[index.row()]
        if role == REPO_ROLE:
            return repo
        if role == Qt.ItemDataRole.DisplayRole:
            return self.title(repo)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            parts = [self.title(repo), *self.origin(repo), *self.facts(repo), tr("gated") if repo.gated else ""]
            fit = self.fit(repo)
            parts += [fit_text(fit), speed_text(fit.tokens_per_s)] if fit else []
            return ", ".join(part for part in parts if part)
        if role == Qt.ItemDataRole.ToolTipRole:
            return repo.id
        return None

    def title(self, repo: RepoSummary) -> str:
        name = self._search.names.get(repo.id, "") if self._search.source == "catalogue" else ""
        return name or repo_title(repo.id)

    def origin(self, repo: RepoSummary) -> list[str]:
        """The second line: who made it, and how long ago it was changed."""
        return [part for part in (owner_of(repo.id), age_text(repo.updated)) if part]

    def facts(self, repo: RepoSummary) -> list[str]:
        """The third line."""
        found = [count_text(repo.parameters), repo.license]
        if repo.context_length:
            found.append(tr("{size} context", size=tokens_text(repo.context_length)))
        if repo.downloads:
            found.append(tr("{count} downloads", count=count_text(repo.downloads)))
        if self._search.source == "catalogue":
            found.append(", ".join(map(tag_text, repo.tags)))
        return [part for part in found if part]

    def fit(self, repo: RepoSummary) -> Fit | None:
        """Judged once for each machine: rows are painted often."""
        machine = self._search.machine
        if machine is not self._machine:
            self._machine = machine
            self._fits.clear()
        if repo.id not in self._fits:
            self._fits[repo.id] = self._search.fit(repo)
        return self._fits[repo.id]

    @Slot()
    def _take_over(self) -> None:
        """Rows that only grew are added, so that the list stays where it was scrolled to."""
        rows, before = self._search.rows, len(self._rows)
        if len(rows) > before and rows[:before] == self._rows:
            self.beginInsertRows(QModelIndex(), before, len(rows) - 1)
            self._rows = list(rows)
            self.endInsertRows()
        elif rows != self._rows:
            self.beginResetModel()
            self._rows = list(rows)
            self.endResetModel()
        elif rows:
            self.dataChanged.emit(self.index(0), self.index(len(rows) - 1))


class ResultDelegate(QStyledItemDelegate):
    """Name, then owner and facts; right the verdict for this machine."""

    def __init__(self, model: ResultsModel, theme: Theme) -> None:
        super().__init__(model)
        self._model = model
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(0, option.fontMetrics.height() * 3 + 18)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        repo: RepoSummary = index.data(REPO_ROLE)
        tokens = self._theme.tokens
        state = QtWidgets.QStyle.StateFlag
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        rect = option.rect.adjusted(8, 1, -6, -1)
        selected = bool(option.state & state.State_Selected)
        if selected or option.state & state.State_MouseOver:
            painter.setBrush(QColor(tokens.selected if selected else tokens.hover))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.drawRoundedRect(rect, 8, 8)
        if option.state & state.State_HasFocus:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QColor(tokens.accent))
            painter.drawRoundedRect(rect.adjusted(0, 0, -1, -1), 8, 8)
        row = Row(painter, rect.adjusted(PAD, 6, -PAD, -6), option.direction)
        small = QFont(option.font)
        small.setPixelSize(max(option.font.pixelSize() - 2, 8))
        self._texts(row, repo, option.font, small)
        painter.restore()

    def _texts(self, row: Row, repo: RepoSummary, font: QFont, small: QFont) -> None:
        tokens, model, width = self._theme.tokens, self._model, row.room.width()
        name_font = QFont(font)
        name_font.setWeight(QFont.Weight.DemiBold)
        metrics, lower = QFontMetrics(name_font), QFontMetrics(small).height() + 1
        height, title = metrics.height(), model.title(repo)
        # beside the name, or a line lower where that would cut the name
        beside = metrics.horizontalAdvance(title) + metrics.height() <= width - self._badge_width(repo, small)
        end = self._badge(row, repo, small, 0 if beside else height + 2)
        row.text(title, QRect(0, 0, end if beside else width, height), name_font, tokens.text)
        origin = QRect(0, height + 1, width if beside else end, lower)
        row.text("  ·  ".join(model.origin(repo)), origin, small, tokens.muted)
        row.text("  ·  ".join(model.facts(repo)), QRect(0, height + 1 + lower, width, lower), small, tokens.muted)

    def _badge_width(self, repo: RepoSummary, font: QFont) -> int:
        text = self._verdict(self._model.fit(repo))
        lock = scaled(LOCK_SIZE, self._theme.scale) + 6 if repo.gated else 0
        return lock + (QFontMetrics(font).horizontalAdvance(text) + 18 if text else 0)

    @staticmethod
    def _verdict(fit: Fit | None) -> str:
        if fit is None:
            return ""
        fits = tr("Slow") if is_slow(fit) else tr("Fits")
        text = {"no": tr("Too large"), "partly": tr("Partly on GPU")}.get(fit.verdict, fits)
        if fit.verdict != "no":
            text += tr(" · {speed} tok/s", speed=decimal(fit.tokens_per_s, 0 if fit.tokens_per_s >= 10 else 1))
        return text

    def _badge(self, row: Row, repo: RepoSummary, font: QFont, top: int) -> int:
        """Paint lock and verdict at the end of a line; where its text has to end."""
        tokens, painter = self._theme.tokens, row.painter
        right = row.room.width()
        fit = self._model.fit(repo)
        metrics = QFontMetrics(font)
        if fit is not None:
            text = self._verdict(fit)
            colors = {
                "badgeGood": (tokens.good, tokens.good_bg),
                "badgeWarn": (tokens.warn, tokens.warn_bg),
                "badgeBad": (tokens.bad, tokens.bad_bg),
            }[fit_badge(fit)]
            width = metrics.horizontalAdvance(text) + 12
            area = row.place(QRect(right - width, top - 1, width, metrics.height() + 4))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors[1]))
            painter.drawRoundedRect(area, 6, 6)
            painter.setFont(font)
            painter.setPen(QColor(colors[0]))
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, text)
            right -= width + 6
        if repo.gated:
            color = QApplication.palette().color(QPalette.ColorRole.PlaceholderText).name()
            size = scaled(LOCK_SIZE, self._theme.scale)
            icons.icon("lock", color, size).paint(painter, row.place(QRect(right - size, top + 1, size, size)))
            right -= size + 6
        return right
