"""The Settings place: a list of parts, and the chosen part. Parts are made when first shown."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QModelIndex, QSize, Qt, Slot
from PySide6.QtGui import QIcon, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QApplication, QHBoxLayout, QListView, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from workbench.ui import icons
from workbench.ui.context import Context
from workbench.ui.places import SETTINGS_PARTS, Page
from workbench.ui.settings.about import AboutSection
from workbench.ui.settings.backup import BackupSection
from workbench.ui.settings.general import AppearanceSection, EngineSection, FoldersSection, NetworkSection
from workbench.ui.settings.keyboard import KeyboardSection
from workbench.ui.settings.plugins import PluginsSection
from workbench.ui.settings.privacy import PrivacySection
from workbench.ui.settings.providers import ProvidersSection
from workbench.ui.settings.section import SettingsSection
from workbench.ui.theme import scaled
from workbench.ui.tr import tr
from workbench.ui.widgets import label

COLUMN_WIDTH = 760
SECTIONS: dict[str, Callable[[Context], SettingsSection]] = {
    "appearance": AppearanceSection,
    "models": EngineSection,
    "providers": ProvidersSection,
    "folders": FoldersSection,
    "network": NetworkSection,
    "plugins": PluginsSection,
    "keyboard": KeyboardSection,
    "privacy": PrivacySection,
    "backup": BackupSection,
    "about": AboutSection,
}


class SettingsPage(Page):
    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        self._sections: dict[str, tuple[QScrollArea, SettingsSection]] = {}
        self.side_list = self._make_list()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self.stack = QStackedWidget()
        column.addWidget(self.stack)
        context.theme.changed.connect(self._tint)
        self.show_part(SETTINGS_PARTS[0][0])

    def _make_list(self) -> QWidget:
        holder = QWidget()
        holder.setAccessibleName(tr("Settings"))
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 14, 0, 4)
        column.setSpacing(10)
        title = label(tr("Settings"), "brand")
        title.setContentsMargins(16, 0, 8, 0)
        column.addWidget(title)
        self.list = QListView()
        self.list.setAccessibleName(tr("Parts of the settings"))
        self.list.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.list.setObjectName("navigation")
        self._model = QStandardItemModel(self)
        for part, title_text, _icon in SETTINGS_PARTS:
            item = QStandardItem(tr(title_text))
            item.setData(part, Qt.ItemDataRole.UserRole + 1)
            self._model.appendRow(item)
        self.list.setModel(self._model)
        self.list.selectionModel().currentChanged.connect(self._chosen)
        column.addWidget(self.list, 1)
        self._tint()
        return holder

    @Slot()
    def _tint(self) -> None:
        color = QApplication.palette().placeholderText().color().name()
        height, size = self.list.fontMetrics().height() + 18, scaled(16, self.context.theme.scale)
        self.list.setIconSize(QSize(size, size))
        for row, (_part, _title, icon_name) in enumerate(SETTINGS_PARTS):
            item = self._model.item(row)
            item.setIcon(QIcon(icons.icon(icon_name, color, size)))
            item.setSizeHint(QSize(0, height))

    @property
    def help_page(self) -> str:
        """What F1 shows here."""
        part = self.list.currentIndex().data(Qt.ItemDataRole.UserRole + 1)
        return f"settings.{part}" if part else "settings"

    def show_part(self, part: str) -> SettingsSection:
        if part not in self._sections:
            self._sections[part] = self._wrap(SECTIONS[part](self.context))
        scroll, section = self._sections[part]
        self.stack.setCurrentWidget(scroll)
        row = list(SECTIONS).index(part)
        if self.list.currentIndex().row() != row:
            self.list.setCurrentIndex(self._model.index(row, 0))
        return section

    def _wrap(self, section: SettingsSection) -> tuple[QScrollArea, SettingsSection]:
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setAccessibleName(section.accessibleName())
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        content = QWidget()
        content.setObjectName("content")
        # Side by side with a stretch: a column would reckon the height of wrapped texts with more than the most width.
        row = QHBoxLayout(content)
        row.setContentsMargins(32, 24, 32, 24)
        section.setMaximumWidth(COLUMN_WIDTH)
        row.addWidget(section, 1)
        row.addStretch(0)
        scroll.setWidget(content)
        self.stack.addWidget(scroll)
        return scroll, section

    def activate(self) -> None:
        self.list.setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot(QModelIndex, QModelIndex)
    def _chosen(self, current: QModelIndex, _previous: QModelIndex) -> None:
        part = current.data(Qt.ItemDataRole.UserRole + 1)
        if isinstance(part, str):
            self.show_part(part)
