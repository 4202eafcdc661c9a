"""The command palette (Ctrl+K): every action, found by typing a few of its letters."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QModelIndex, QObject, QRect, QSize, Qt, QTimer, Slot
from PySide6.QtGui import QAction, QColor, QPainter, QPalette, QStandardItem
from PySide6.QtWidgets import (
    QApplication,
    QGraphicsDropShadowEffect,
    QStyleOptionViewItem,
    QWidget,
)

from workbench.ui import icons
from workbench.ui.actions import Actions
from workbench.ui.choice_list import ChoiceList, Index, Match, RowDelegate, match
from workbench.ui.formats import keys_text
from workbench.ui.tr import mark, tr
from workbench.ui.widgets import mirrored

ROW_HEIGHT = 36
WIDTH = 560
MAX_ROWS = 10
ACTION_ROLE = Qt.ItemDataRole.UserRole + 1
KEYS_ROLE = Qt.ItemDataRole.UserRole + 2
ICON_ROLE = Qt.ItemDataRole.UserRole + 3

KEYWORD_SCORE = 50
KEYWORDS = {
    "theme.toggle": mark("theme dark mode light mode night colours colors appearance"),
    "text.larger": mark("zoom in font size bigger increase"),
    "text.smaller": mark("zoom out font size decrease"),
    "text.normal": mark("reset zoom 100 % font size default"),
    "fullscreen": mark("maximise maximize f11"),
    "list.toggle": mark("sidebar side bar panel collapse expand"),
    "network.toggle": mark("internet connection wifi airplane privacy"),
    "undo.toast": mark("restore bring back trash"),
    "work.stop": mark("cancel abort interrupt"),
    "help": mark("manual documentation guide f1"),
    "help.keyboard": mark("shortcuts hotkeys key bindings"),
    "quit": mark("exit close"),
    "chat.new": mark("conversation start session"),
    "chat.stop": mark("cancel abort interrupt generation"),
    "chat.model": mark("switch change select llm"),
    "chat.open_model": mark("load gguf import local"),
    "chat.attach": mark("file picture image upload document"),
    "chat.search": mark("find history"),
    "chat.find": mark("search text words hits"),
    "chat.options": mark("temperature sampling parameters system prompt settings side panel"),
    "chat.move": mark("group organise organize"),
    "chat.delete": mark("remove erase trash"),
    "answer.regenerate": mark("retry again redo"),
    "answer.continue": mark("go on more resume"),
    "answer.copy": mark("clipboard"),
    "answer.prompt": mark("template raw tokens"),
    "answer.record": mark("statistics stats details speed seed"),
    "message.edit_last": mark("change correct"),
    "preset.save": mark("template profile options"),
    "models.discover": mark("find download browse hub new model"),
    "models.downloads": mark("transfers progress pause"),
    "settings.about.doctor": mark("doctor health diagnose test"),
    "settings.about.report": mark("bug crash feedback support"),
    "settings.providers.add": mark("api key openai anthropic vendor"),
    "settings.providers.find": mark("lm studio ollama local server"),
    "settings.privacy.erase": mark("wipe reset remove all data"),
    "settings.about.licences": mark("license copyright open source"),
    "settings.appearance": mark("preferences theme dark font language"),
    "settings.models": mark("preferences engine gpu threads context"),
    "settings.providers": mark("preferences api key openai anthropic google token account"),
    "settings.folders": mark("preferences directories location storage disk"),
    "settings.network": mark("preferences proxy offline"),
    "settings.plugins": mark("preferences extensions add-ons"),
    "settings.keyboard": mark("preferences shortcuts hotkeys"),
    "settings.privacy": mark("preferences ledger sent data delete everything erase"),
    "settings.about": mark("version licence license doctor check diagnose"),
}
"""What else people call an action, by its id."""


def match_action(query: str, action: QAction, title: str) -> Match | None:
    """By its title, else by other words for it; letters strewn over the title come last."""
    by_title = match(query, title)
    if by_title is not None and by_title.score < KEYWORD_SCORE:
        return by_title
    keywords = tr(KEYWORDS.get(action.objectName(), ""))
    if keywords and all(f" {word}" in f" {keywords}" for word in query.lower().split()):
        return Match(KEYWORD_SCORE)
    return by_title


class ActionDelegate(RowDelegate):
    """Icon, title, and the shortcut at the right."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(0, max(ROW_HEIGHT, option.fontMetrics.height() + 16))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        palette = QApplication.palette()
        rect = self.paint_selection(painter, option)
        muted = palette.color(QPalette.ColorRole.PlaceholderText)
        name, side = index.data(ICON_ROLE), icons.in_scale(16)
        if name:
            place = QRect(rect.left() + 10, rect.top() + (rect.height() - side) // 2, side, side)
            icons.icon(name, muted.name(), side).paint(painter, mirrored(option, place))
        keys = index.data(KEYS_ROLE) or ""
        painter.setFont(option.font)
        painter.setPen(muted)
        keys_width = option.fontMetrics.horizontalAdvance(keys)
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        painter.drawText(mirrored(option, rect.adjusted(0, 0, -12, 0)), flags, keys)
        painter.setPen(palette.color(QPalette.ColorRole.Text))
        room = mirrored(option, rect.adjusted(side + 22, 0, -24 - keys_width, 0))
        text = option.fontMetrics.elidedText(
            index.data(Qt.ItemDataRole.DisplayRole), Qt.TextElideMode.ElideRight, room.width()
        )
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)
        painter.restore()


class CommandPalette(ChoiceList):
    """A field and a list over the window's upper middle. Escape or a click elsewhere closes it."""

    def __init__(self, actions: Actions, parent: QWidget, show_place: Callable[[str], object]) -> None:
        """`show_place` brings a place to the front before one of its actions is triggered."""
        super().__init__(ActionDelegate(), name=tr("Commands"), placeholder=tr("Type a command…"), parent=parent)
        self.setAccessibleName(tr("Command palette"))
        self.field.setAccessibleName(tr("Command"))
        self._actions, self._show_place = actions, show_place
        self._refill = QTimer(self, singleShot=True, interval=0)
        self._refill.timeout.connect(self._take_in)
        actions.changed.connect(self._refill.start)
        shadow = QGraphicsDropShadowEffect(self)
        shadow.setBlurRadius(40)
        shadow.setOffset(0, 12)
        shadow.setColor(QColor(0, 0, 0, 90))
        self.setGraphicsEffect(shadow)
        self._focus_before: QWidget | None = None
        self.hide()

    @Slot()
    def open(self) -> None:
        if self.isVisible():
            self.leave()
            return
        self._focus_before = QApplication.focusWidget()
        self.field.clear()
        self.fill("")
        self._place()
        self.show()
        self.raise_()
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def leave(self) -> None:
        self.hide()
        if self._focus_before is not None:
            self._focus_before.setFocus(Qt.FocusReason.OtherFocusReason)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.FocusOut and self.isVisible():
            self.hide()
        return super().eventFilter(watched, event)

    @Slot(str)
    def fill(self, query: str) -> None:
        found: list[tuple[int, int, QAction, str]] = []
        for position, action in enumerate(self._actions):
            name, title = action.objectName(), action.text()
            elsewhere = self._actions.is_elsewhere(name)
            if elsewhere:
                title = f"{action.data()[1]}: {title}"
            hit = match_action(query, action, title)
            if hit is not None and action.isEnabled() and name != "palette":
                last = elsewhere or (not query and name.startswith("settings."))  # many, and rarely wanted
                found.append((hit.score + last, position, action, title))
        found.sort(key=lambda entry: entry[:2])
        self.rows.clear()
        for _score, _position, action, title in found:
            item = QStandardItem(title)
            keys = keys_text(action.shortcut())
            item.setData(action, ACTION_ROLE)
            item.setData(keys, KEYS_ROLE)
            item.setData(action.data()[0], ICON_ROLE)
            item.setData(f"{title} {keys}", Qt.ItemDataRole.AccessibleTextRole)
            self.rows.appendRow(item)
        if found:
            self.select(self.rows.index(0, 0))
        else:
            self.add_heading(tr("Nothing found."))
        row_height = self.list.sizeHintForRow(0) if found else ROW_HEIGHT
        self.list.setFixedHeight(min(max(len(found), 1), MAX_ROWS) * row_height + 4)
        self.adjustSize()

    def choose(self, index: QModelIndex) -> None:
        action = index.data(ACTION_ROLE)
        if isinstance(action, QAction):
            self.leave()
            place = self._actions.place_of(action.objectName())
            if place:
                self._show_place(place)
            action.trigger()

    @Slot()
    def _take_in(self) -> None:
        """Actions that came while the palette is open; the chosen row stays chosen."""
        if not self.isVisible():
            return
        chosen = self.list.currentIndex().data(ACTION_ROLE) if self.list.currentIndex().row() > 0 else None
        self.fill(self.field.text())
        for row in range(self.rows.rowCount()):
            if chosen is not None and self.rows.index(row, 0).data(ACTION_ROLE) is chosen:
                self.select(self.rows.index(row, 0))

    def _place(self) -> None:
        parent = self.parentWidget()
        assert parent is not None
        width = min(icons.in_scale(WIDTH), parent.width() - 32)
        self.setFixedWidth(width)
        self.move((parent.width() - width) // 2, min(80, parent.height() // 8))
