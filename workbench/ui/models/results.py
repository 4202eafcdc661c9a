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
from workbench.ui.models.formats import age_text, fit_text, is_slow, owner_of, repo_title, speed_text, tokens_text
from workbench.ui.models.parts import Row
from workbench.ui.models.search import Search
from workbench.ui.theme import Theme
from workbench.ui.tr import tr

Index = QModelIndex | QPersistentModelIndex
REPO_ROLE = Qt.ItemDataRole.UserRole + 1
PAD = 12


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
            found.append(", ".join(repo.tags))
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
        end = self._badge(row, repo, small)
        self._texts(row, end, repo, option.font, small)
        painter.restore()

    def _texts(self, row: Row, end: int, repo: RepoSummary, font: QFont, small: QFont) -> None:
        tokens = self._theme.tokens
        name_font = QFont(font)
        name_font.setWeight(QFont.Weight.DemiBold)
        height, lower = QFontMetrics(name_font).height(), QFontMetrics(small).height() + 1
        row.text(self._model.title(repo), QRect(0, 0, end, height), name_font, tokens.text)
        for at, parts in enumerate((self._model.origin(repo), self._model.facts(repo))):
            area = QRect(0, height + 1 + at * lower, row.room.width(), lower)
            row.text("  ·  ".join(parts), area, small, tokens.muted)

    def _badge(self, row: Row, repo: RepoSummary, font: QFont) -> int:
        """Paint lock and verdict at the end of the first line; where the name has to end."""
        tokens, painter = self._theme.tokens, row.painter
        right = row.room.width()
        fit = self._model.fit(repo)
        metrics = QFontMetrics(font)
        if fit is not None:
            verdict = fit.verdict
            slow = is_slow(fit)
            fits = tr("Slow") if slow else tr("Fits")
            text = {"no": tr("Too large"), "partly": tr("Partly on GPU")}.get(verdict, fits)
            if verdict != "no":
                text += tr(" · {speed} tok/s", speed=decimal(fit.tokens_per_s, 0 if fit.tokens_per_s >= 10 else 1))
            good = verdict in ("ram", "vram") and not slow
            colors = (tokens.good, tokens.good_bg) if good else (tokens.warn, tokens.warn_bg)
            colors = (tokens.bad, tokens.bad_bg) if verdict == "no" else colors
            width = metrics.horizontalAdvance(text) + 12
            area = row.place(QRect(right - width, -1, width, metrics.height() + 4))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors[1]))
            painter.drawRoundedRect(area, 6, 6)
            painter.setFont(font)
            painter.setPen(QColor(colors[0]))
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, text)
            right -= width + 6
        if repo.gated:
            color = QApplication.palette().color(QPalette.ColorRole.PlaceholderText).name()
            icons.icon("lock", color, 14).paint(painter, row.place(QRect(right - 14, 1, 14, 14)))
            right -= 20
        return right
