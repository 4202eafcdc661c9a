"""The list of chats: instant full-text search, pinned ones and folders first, then by day."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, NamedTuple

from PySide6 import QtWidgets
from PySide6.QtCore import (
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    QTimer,
    Signal,
    Slot,
)
from PySide6.QtGui import (
    QAction,
    QColor,
    QFont,
    QIcon,
    QKeyEvent,
    QPainter,
    QPalette,
    QResizeEvent,
    QStandardItem,
    QStandardItemModel,
)
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from workbench.ui import icons
from workbench.ui.context import Context
from workbench.ui.icons import IconButton, PushButton
from workbench.ui.session_state import SessionState
from workbench.ui.tr import mark, tr
from workbench.ui.widgets import ElidedLabel, add_clear_button, label, mirrored

if TYPE_CHECKING:
    from workbench.store.values import SearchHit, Session

SEARCH_AFTER_MS = 120
LIMIT = 300
MOST_FOUND = 50
SEARCH_EDGES = 56
"""Pixels of the search field that are not text: its icon, and room for the cross that clears it."""
HIT_START, HIT_END = "\ue000", "\ue001"
"""As in `store.values`, which is not imported before the first paint."""
WORDS_BEFORE_HIT = 2
ID_ROLE = Qt.ItemDataRole.UserRole + 1
PINNED_ROLE = Qt.ItemDataRole.UserRole + 2
FOLDER_ROLE = Qt.ItemDataRole.UserRole + 3
SNIPPET_ROLE = Qt.ItemDataRole.UserRole + 4
RUNNING_ROLE = Qt.ItemDataRole.UserRole + 5
MESSAGE_ROLE = Qt.ItemDataRole.UserRole + 6


def day_group(updated_at: str, today: datetime.date) -> str:
    """The heading under which a chat of this time (ISO 8601) stands."""
    try:
        day = datetime.datetime.fromisoformat(updated_at).astimezone().date()
    except ValueError:
        return tr("Older")
    age = (today - day).days
    if age <= 0:
        return tr("Today")
    if age == 1:
        return tr("Yesterday")
    if age < 7:
        return tr("Previous 7 days")
    if age < 30:
        return tr("Previous 30 days")
    return tr("Older")


def grouped(sessions: list[Session], today: datetime.date) -> list[tuple[str, list[Session]]]:
    """Pinned first, then folders by name, then days, newest first."""
    groups: dict[tuple[int, str], list[Session]] = {}
    for position, session in enumerate(sessions):
        if session.pinned:
            key = (0, tr("Pinned"))
        elif session.folder:
            key = (1, session.folder)
        else:
            title = day_group(session.updated_at, today)
            known = next((key for key in groups if key[1] == title and key[0] >= 2), None)
            key = known or (2 + position, title)
        groups.setdefault(key, []).append(session)
    return [(key[1], found) for key, found in sorted(groups.items(), key=lambda entry: entry[0])]


def excerpt(snippet: str) -> str:
    """A hit's words with little before the first match, so that it is seen in a narrow list."""
    before, mark, rest = snippet.partition(HIT_START)
    plain = (rest if mark else before).replace(HIT_START, "").replace(HIT_END, "")
    words = before.split() if mark else []
    kept = words[-WORDS_BEFORE_HIT:]
    return " ".join([*(["…"] if len(kept) < len(words) else []), *kept, *plain.split()])


Index = QModelIndex | QPersistentModelIndex


class SessionDelegate(QStyledItemDelegate):
    """Headings and rows: rounded selection, a pin, a dot while an answer is being written."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        line = option.fontMetrics.height()
        if index.data(ID_ROLE) is None:
            return QSize(0, line + (18 if index.row() else 10))
        if index.data(SNIPPET_ROLE):
            return QSize(0, line * 2 + 20)
        return QSize(0, line + 18)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        palette = QApplication.palette()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if index.data(ID_ROLE) is None:
            self._paint_heading(painter, option, index, palette)
        else:
            self._paint_row(painter, option, index, palette)
        painter.restore()

    def _paint_heading(self, painter: QPainter, option: QStyleOptionViewItem, index: Index, palette: QPalette) -> None:
        font = QFont(option.font)
        font.setPixelSize(max(option.font.pixelSize() - 2, 8))
        font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        painter.setPen(palette.color(QPalette.ColorRole.PlaceholderText))
        rect = mirrored(option, option.rect.adjusted(18, 0, -12, -3))
        painter.drawText(rect, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom, index.data())

    def _paint_row(self, painter: QPainter, option: QStyleOptionViewItem, index: Index, palette: QPalette) -> None:
        rect = option.rect.adjusted(8, 1, -8, -1)
        selected = bool(option.state & QtWidgets.QStyle.StateFlag.State_Selected)
        hovered = bool(option.state & QtWidgets.QStyle.StateFlag.State_MouseOver)
        if selected or hovered:
            color = QColor(palette.color(QPalette.ColorRole.Highlight if selected else QPalette.ColorRole.Midlight))
            if selected:
                color.setAlpha(38)
            painter.setBrush(color)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.drawRoundedRect(rect, 7, 7)
        if selected and option.state & QtWidgets.QStyle.StateFlag.State_HasFocus:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(palette.color(QPalette.ColorRole.Highlight))
            painter.drawRoundedRect(QRect(rect).adjusted(0, 0, -1, -1), 7, 7)
        right = rect.right() - 10
        muted = palette.color(QPalette.ColorRole.PlaceholderText)
        if index.data(RUNNING_ROLE):
            painter.setBrush(palette.color(QPalette.ColorRole.Highlight))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.drawEllipse(mirrored(option, QRect(right - 6, rect.center().y() - 3, 6, 6)))
            right -= 16
        elif index.data(PINNED_ROLE):
            area = mirrored(option, QRect(right - 12, rect.center().y() - 6, 13, 13))
            icons.icon("pin", muted.name(), 13).paint(painter, area)
            right -= 20
        room = QRect(rect.left() + 10, rect.top(), right - rect.left() - 10, rect.height())
        self._paint_texts(painter, option, index, mirrored(option, room))

    def _paint_texts(self, painter: QPainter, option: QStyleOptionViewItem, index: Index, room: QRect) -> None:
        palette = QApplication.palette()
        metrics = option.fontMetrics
        painter.setFont(option.font)
        painter.setPen(palette.color(QPalette.ColorRole.Text))
        title = metrics.elidedText(index.data(), Qt.TextElideMode.ElideRight, room.width())
        snippet = index.data(SNIPPET_ROLE)
        left = Qt.AlignmentFlag.AlignLeft
        if not snippet:
            painter.drawText(room, left | Qt.AlignmentFlag.AlignVCenter, title)
            return
        painter.drawText(room.adjusted(0, 7, 0, 0), left | Qt.AlignmentFlag.AlignTop, title)
        font = QFont(option.font)
        font.setPixelSize(max(option.font.pixelSize() - 2, 8))
        painter.setFont(font)
        painter.setPen(palette.color(QPalette.ColorRole.PlaceholderText))
        cut = painter.fontMetrics().elidedText(snippet, Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(room.adjusted(0, 0, 0, -7), left | Qt.AlignmentFlag.AlignBottom, cut)


class Texts(NamedTuple):
    """What a list of one kind of session says; marked for translation."""

    name: str
    new: str
    search: str
    empty: str
    rename: str


CHATS = Texts(
    mark("Chats"), mark("New chat"), mark("Search chats"), mark("Your chats will be kept here."), mark("Rename chat")
)
COMPARISONS = Texts(
    mark("Comparisons"),
    mark("New comparison"),
    mark("Search comparisons"),
    mark("Your comparisons will be kept here."),
    mark("Rename comparison"),
)


class SessionList(QWidget):
    """Shows the stored sessions of one kind; opens, pins, renames, moves and deletes through their state."""

    hit_chosen = Signal(str, str)
    """Session and message of a search hit."""

    def __init__(
        self, state: SessionState, context: Context, texts: Texts = CHATS, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr(texts.name))
        self._state, self._context, self._texts = state, context, texts
        self._sessions: list[Session] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 12, 0, 4)
        column.setSpacing(8)
        self._build_head(column)
        self.list = QListView()
        self.list.setAccessibleName(tr(texts.name))
        self.list.setItemDelegate(SessionDelegate(self.list))
        self.list.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.list.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.list.setMouseTracking(True)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._show_menu)
        self.list.clicked.connect(self._open_index)
        self.list.installEventFilter(self)
        self._model = QStandardItemModel(self)
        self.list.setModel(self._model)
        column.addWidget(self.list, 1)
        self.empty = label("", "small", wrap=True)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        self.empty.setContentsMargins(16, 8, 16, 24)
        column.addWidget(self.empty, 1)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SEARCH_AFTER_MS)
        self._timer.timeout.connect(self.refresh)
        state.sessions_changed.connect(self.refresh)
        state.session_changed.connect(self._select_current)
        QTimer.singleShot(0, self.refresh)  # the state told of its sessions before the list was there

    def _build_head(self, column: QVBoxLayout) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(12, 0, 8, 0)
        head.addWidget(ElidedLabel(tr("Model Workbench"), "brand"), 1)
        hide = IconButton("panel-left", tr("Hide the list"))
        hide.set_title(tr("Hide the list"), self._context.actions.keys("list.toggle"))
        hide.clicked.connect(self._context.actions["list.toggle"].trigger)
        head.addWidget(hide)
        column.addLayout(head)
        tools = QVBoxLayout()
        tools.setContentsMargins(12, 0, 12, 0)
        tools.setSpacing(8)
        self.new = PushButton(tr(self._texts.new), icon_name="plus")
        self.new.setToolTip("Ctrl+N")
        self.new.clicked.connect(self._state.new_chat)
        tools.addWidget(self.new)
        self.search = QLineEdit()
        self.search.setAccessibleName(tr(self._texts.search))
        add_clear_button(self.search)
        self._search_icon = self.search.addAction(QIcon(), QLineEdit.ActionPosition.LeadingPosition)
        self._search_icon.setText(tr("Search"))
        self.search.textChanged.connect(self._search_changed)
        self.search.installEventFilter(self)
        tools.addWidget(self.search)
        column.addLayout(tools)
        self._tint()

    # --- filling ---------------------------------------------------------------------------------------------
    @Slot()
    def refresh(self) -> None:
        backend = self._state.backend
        if backend is None:
            return
        query, store, kind = self.search.text().strip(), backend.store, self._state.kind

        def work() -> tuple[list[Session], list[SearchHit]]:
            if not query:
                return store.sessions(limit=LIMIT, kind=kind), []
            found = store.sessions(query=query, limit=MOST_FOUND, kind=kind)
            known = {session.id for session in found}
            return found, [hit for hit in store.search(query, limit=4 * MOST_FOUND) if hit.session_id in known]

        failed = self._state.failed.emit
        self._context.jobs.run(work, self._fill, failed, owner=self, key=f"sessions-{kind}")

    def _fill(self, found: tuple[list[Session], list[SearchHit]]) -> None:
        sessions, hits = found
        self._sessions = sessions
        scroll = self.list.verticalScrollBar().value()
        self._model.clear()
        if self.search.text().strip():
            self._fill_search(hits)
        else:
            for title, group in grouped(self._sessions, datetime.date.today()):
                self._add_heading(title)
                for session in group:
                    self._add_session(session)
        self.list.verticalScrollBar().setValue(scroll)
        searching = bool(self.search.text().strip())
        text = tr("Nothing found.") if searching else tr(self._texts.empty)
        self.empty.setText(text if self._model.rowCount() == 0 else "")
        self.empty.setVisible(self._model.rowCount() == 0)
        self.list.setVisible(self._model.rowCount() > 0)
        self._select_current()

    def _fill_search(self, hits: list[SearchHit]) -> None:
        snippets: dict[str, SearchHit] = {}
        for hit in hits:
            snippets.setdefault(hit.session_id, hit)
        for session in self._sessions:
            self._add_session(session, snippets.get(session.id))

    def _add_heading(self, title: str) -> None:
        item = QStandardItem(title)
        item.setFlags(Qt.ItemFlag.NoItemFlags)
        self._model.appendRow(item)

    def _add_session(self, session: Session, hit: SearchHit | None = None) -> None:
        self._add_row(session.id, session.title, pinned=session.pinned, folder=session.folder, hit=hit)

    def _add_row(
        self, session_id: str, title: str, *, pinned: bool = False, folder: str = "", hit: SearchHit | None = None
    ) -> None:
        item = QStandardItem(title or tr(self._texts.new))
        item.setData(session_id, ID_ROLE)
        item.setData(pinned, PINNED_ROLE)
        item.setData(folder, FOLDER_ROLE)
        item.setData(self._state.is_running(session_id), RUNNING_ROLE)
        if hit is not None:
            item.setData(excerpt(hit.snippet), SNIPPET_ROLE)
            item.setData(hit.message_id, MESSAGE_ROLE)
        if pinned:
            item.setData(tr("{title}, pinned", title=item.text()), Qt.ItemDataRole.AccessibleTextRole)
        item.setToolTip(title)
        self._model.appendRow(item)

    @Slot()
    def _select_current(self) -> None:
        for row in range(self._model.rowCount()):
            if self._model.item(row).data(ID_ROLE) == self._state.session_id and self._state.session_id:
                self.list.setCurrentIndex(self._model.index(row, 0))
                return
        self.list.clearSelection()
        self.list.setCurrentIndex(QModelIndex())

    # --- acting ----------------------------------------------------------------------------------------------
    def titles(self) -> list[str]:
        """Titles of the shown chats, in order."""
        items = [self._model.item(row) for row in range(self._model.rowCount())]
        return [item.text() for item in items if item.data(ID_ROLE) is not None]

    def ids(self) -> list[str]:
        """Ids of the shown chats, in order."""
        found = [self._model.item(row).data(ID_ROLE) for row in range(self._model.rowCount())]
        return [session_id for session_id in found if isinstance(session_id, str)]

    @property
    def selected_id(self) -> str | None:
        session_id = self.list.currentIndex().data(ID_ROLE)
        return session_id if isinstance(session_id, str) else None

    def rename_selected(self) -> None:
        session_id = self.selected_id or self._state.session_id
        session = next((entry for entry in self._sessions if entry.id == session_id), None)
        if session is None:
            return
        title, accepted = QtWidgets.QInputDialog.getText(
            self, tr(self._texts.rename), tr("Title"), QLineEdit.EchoMode.Normal, session.title
        )
        if accepted and title.strip():
            self._state.rename(session.id, title.strip())

    def move_selected(self) -> None:
        backend, session_id = self._state.backend, self.selected_id or self._state.session_id
        if backend is None or session_id is None:
            return
        folders = ["", *sorted({session.folder for session in self._sessions if session.folder})]
        folder, accepted = QtWidgets.QInputDialog.getItem(
            self, tr("Move to folder"), tr("Folder (empty: none; type a new name to make one)"), folders, 0, True
        )
        if accepted:
            self._state.move_session(session_id, folder.strip())

    def toggle_pin(self) -> None:
        session_id = self.selected_id or self._state.session_id
        session = next((entry for entry in self._sessions if entry.id == session_id), None)
        if session is not None:
            self._state.pin(session.id, not session.pinned)

    def delete_selected(self) -> None:
        session_id = self.selected_id or self._state.session_id
        if session_id is not None:
            self._state.delete_session(session_id)

    @Slot(QModelIndex)
    def _open_index(self, index: QModelIndex) -> None:
        session_id = index.data(ID_ROLE)
        if isinstance(session_id, str):
            message_id = index.data(MESSAGE_ROLE)
            self.hit_chosen.emit(session_id, message_id or "")

    @Slot(QPoint)
    def _show_menu(self, position: QPoint) -> None:
        index = self.list.indexAt(position)
        if not isinstance(index.data(ID_ROLE), str):
            return
        self.list.setCurrentIndex(index)
        menu = self.build_menu(bool(index.data(PINNED_ROLE)))
        menu.exec(self.list.viewport().mapToGlobal(position))
        menu.deleteLater()

    def build_menu(self, pinned: bool) -> QtWidgets.QMenu:
        menu = QtWidgets.QMenu(self)
        color = icons.role_color(self, QPalette.ColorRole.PlaceholderText)
        entries = (
            (tr("Rename"), "pencil", "F2", self.rename_selected),
            (tr("Unpin") if pinned else tr("Pin"), "pin-off" if pinned else "pin", "", self.toggle_pin),
            (tr("Move to folder…"), "folder", "", self.move_selected),
            (tr("Delete"), "trash-2", "Del", self.delete_selected),
        )
        for title, icon_name, keys, callback in entries:
            action = QAction(icons.icon(icon_name, color, 16), f"{title}\t{keys}" if keys else title, menu)
            action.triggered.connect(callback)
            menu.addAction(action)
        return menu

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.search and event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._choose_hint()
        if not isinstance(event, QKeyEvent):
            return False
        if event.type() == QEvent.Type.ShortcutOverride:
            if watched is self.search and event.key() == Qt.Key.Key_Escape and self.search.text():
                event.accept()  # clears the search instead of stopping an answer
            return False
        if event.type() != QEvent.Type.KeyPress:
            return False
        key = event.key()
        if watched is self.search and key in (Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._focus_first()
            if key != Qt.Key.Key_Down:
                self._open_index(self.list.currentIndex())
            return True
        if watched is self.search and key == Qt.Key.Key_Escape and self.search.text():
            self.search.clear()
            return True
        if watched is self.list and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open_index(self.list.currentIndex())
            return True
        if watched is self.list and key == Qt.Key.Key_Delete:
            self.delete_selected()
            return True
        return False

    def _focus_first(self) -> None:
        for row in range(self._model.rowCount()):
            if self._model.item(row).data(ID_ROLE) is not None:
                self.list.setCurrentIndex(self._model.index(row, 0))
                self.list.setFocus(Qt.FocusReason.OtherFocusReason)
                return

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._choose_hint()

    def _choose_hint(self) -> None:
        """The long hint where it fits."""
        full = tr(self._texts.search)
        room = self.search.width() - icons.in_scale(SEARCH_EDGES)
        self.search.setPlaceholderText(
            full if self.search.fontMetrics().horizontalAdvance(full) <= room else tr("Search")
        )

    @Slot()
    def _search_changed(self) -> None:
        self._timer.start()

    def _tint(self) -> None:
        color = QApplication.palette().color(QPalette.ColorRole.PlaceholderText).name()
        self._search_icon.setIcon(icons.icon("search", color, 16))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._tint()
