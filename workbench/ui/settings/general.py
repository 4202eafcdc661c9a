"""Appearance, engine defaults, folders and network."""

from __future__ import annotations

import contextlib
from pathlib import Path
from urllib.parse import urlsplit

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import QSignalBlocker, Qt, Slot
from PySide6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLineEdit, QSlider, QVBoxLayout

from workbench.core.requests import LoadOptions, Sampling
from workbench.core.tr import LANGUAGES, language
from workbench.ui.chat.parameter_editor import ParameterEditor
from workbench.ui.chat.parameters import LOAD, SAMPLING
from workbench.ui.context import Context
from workbench.ui.icons import IconButton, PushButton
from workbench.ui.language import wanted_language
from workbench.ui.settings.hub_token import HubToken
from workbench.ui.settings.section import SettingsSection, add_row, clear, say
from workbench.ui.tr import mark, tr, trc
from workbench.ui.widgets import ElidedLabel, Section, label

THEMES = (("system", mark("Like the system")), ("light", mark("Light")), ("dark", mark("Dark")))
FIELD_WIDTH = 260


class AppearanceSection(SettingsSection):
    title = mark("Appearance")

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        box = self.card()
        self.theme = QComboBox()
        for theme, title in THEMES:
            self.theme.addItem(tr(title), theme)
        self.theme.activated.connect(self._theme_chosen)
        add_row(box, tr("Theme"), tr("Follows the system's light or dark setting, or stays as you choose."), self.theme)
        self.scale = QSlider(Qt.Orientation.Horizontal)
        self.scale.setRange(8, 20)
        self.scale.setPageStep(1)
        self.scale.setFixedWidth(180)
        self.scale.valueChanged.connect(self._scale_moved)
        self.scale_text = label("", "stat")
        self.scale_text.setMinimumWidth(52)
        self.scale_text.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        keys = tr("From 80 to 200 percent. Ctrl and + or − change it anywhere.")
        add_row(box, tr("Text size"), keys, self.scale, self.scale_text)
        self._add_language(box)
        self._add_notifications(box)
        self.column.addStretch(1)
        self.show_settings()

    def _add_language(self, box: QVBoxLayout) -> None:
        self.language = QComboBox()
        self.language.addItem(tr("Like the system"), "")
        for code, own_name in LANGUAGES.items():
            self.language.addItem(own_name, code)
        self.language.activated.connect(self._language_chosen)
        self.restart = PushButton(tr("Restart now"), icon_name="refresh-cw")
        self.restart.setAccessibleDescription(tr("Takes effect when the program starts again."))
        self.restart.clicked.connect(self._restart)
        hint = tr("Of the window. Takes effect when the program starts again; the command line stays English.")
        add_row(box, tr("Language"), hint, self.restart, self.language)
        self.language.setAccessibleName(tr("Language"))
        self.restart.setAccessibleName(tr("Restart now"))

    def _add_notifications(self, box: QVBoxLayout) -> None:
        self.notifications = QCheckBox(tr("Tell me"))
        self.notifications.clicked.connect(self._notifications_clicked)
        hint = tr("When answers, downloads or evaluations that took long are done and the window is not in front.")
        add_row(box, tr("Notifications"), hint, self.notifications)

    @Slot()
    def show_settings(self) -> None:
        appearance = self.context.settings.value.appearance
        self.notifications.setChecked(appearance.notifications)
        self.language.setCurrentIndex(max(self.language.findData(appearance.language), 0))
        self.restart.setVisible(wanted_language(appearance.language) != language())
        self.theme.setCurrentIndex([theme for theme, _title in THEMES].index(appearance.theme))
        with QSignalBlocker(self.scale):
            self.scale.setValue(round(appearance.text_scale / 10))
        self.scale_text.setText(f"{appearance.text_scale} %")

    @Slot()
    def _theme_chosen(self) -> None:
        self.save("appearance", theme=self.theme.currentData())

    @Slot()
    def _notifications_clicked(self) -> None:
        self.save("appearance", notifications=self.notifications.isChecked())

    @Slot()
    def _language_chosen(self) -> None:
        self.save("appearance", language=self.language.currentData())

    @Slot()
    def _restart(self) -> None:
        self.context.shell.restart(lambda: "")

    @Slot(int)
    def _scale_moved(self, value: int) -> None:
        self.save("appearance", text_scale=value * 10)


class EngineSection(SettingsSection):
    title = mark("Models")
    intro = mark("How local models are loaded and sampled unless a chat, a preset or the model itself says otherwise.")

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        box = self.card()
        self.keep = QComboBox()
        for count in range(1, 9):
            self.keep.addItem(str(count), count)
        self.keep.activated.connect(self._keep_chosen)
        hint = tr("Most local models kept in memory at once; the one unused for longest is unloaded first.")
        add_row(box, tr("Models kept loaded"), hint, self.keep)
        load = Section(trc("how models are loaded", "Loading"), opened=True)
        self.load = ParameterEditor(LOAD, LoadOptions())
        self.load.changed.connect(self._load_changed)
        load.content.addWidget(self.load)
        sampling = Section(tr("Sampling"), opened=False)
        self.sampling = ParameterEditor(SAMPLING, Sampling())
        self.sampling.changed.connect(self._sampling_changed)
        sampling.content.addWidget(self.sampling)
        for section in (load, sampling):
            inner = self.card()
            inner.setContentsMargins(16, 10, 16, 6)
            inner.addWidget(section)
        self.column.addStretch(1)
        self.show_settings()

    @Slot()
    def show_settings(self) -> None:
        engine = self.context.settings.value.engine
        self.keep.setCurrentIndex(min(engine.keep_loaded, 8) - 1)
        self.load.set_value(engine.load)
        self.sampling.set_value(engine.sampling)

    @Slot()
    def _keep_chosen(self) -> None:
        self.save("engine", keep_loaded=self.keep.currentData())

    @Slot(object)
    def _load_changed(self, value: LoadOptions) -> None:
        self.save("engine", load=value)

    @Slot(object)
    def _sampling_changed(self, value: Sampling) -> None:
        self.save("engine", sampling=value)


class FoldersSection(SettingsSection):
    title = mark("Folders")
    intro = mark(
        "Models are found in the Hugging Face cache and in the folders of other programs. Add folders of your own."
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.folders = self.card()
        self.add = PushButton(tr("Add a folder…"), icon_name="folder-plus")
        self.add.clicked.connect(self._add_folder)
        row = QHBoxLayout()
        row.addWidget(self.add)
        row.addStretch(1)
        self.column.addLayout(row)
        box = self.card()
        self.download = QLineEdit()
        self.download.setFixedWidth(FIELD_WIDTH)
        self.download.setPlaceholderText(tr("Hugging Face cache"))
        self.download.editingFinished.connect(self._download_changed)
        choose = IconButton("folder", tr("Choose the folder for downloads"))
        choose.clicked.connect(self._choose_download)
        hint = tr("Other programs find models in the shared cache; another folder is yours alone.")
        add_row(box, tr("Downloads go to"), hint, self.download, choose)
        self.problem = label("", "bad", wrap=True)
        self.problem.hide()
        self.column.addWidget(self.problem)
        places = self.card()
        for title, path in (
            (tr("Database"), context.paths.database),
            (tr("Settings"), context.paths.settings),
            (tr("Backups"), context.paths.backups),
            (tr("Logs"), context.paths.logs),
            (tr("Plugins"), context.paths.plugins),
        ):
            value = ElidedLabel(str(path), "stat")
            value.setFixedWidth(FIELD_WIDTH + 100)
            value.setToolTip(str(path))
            show = IconButton("external-link", tr("Open the folder: {title}", title=title), size=14)
            show.setProperty("path", str(path if path.suffix == "" else path.parent))
            show.clicked.connect(self._open_folder)
            add_row(places, title, "", value, show)
        self.column.addStretch(1)
        self.show_settings()

    @Slot()
    def show_settings(self) -> None:
        folders = self.context.settings.value.folders
        clear(self.folders)
        for path in folders.model_folders:
            remove = IconButton("x", tr("Remove {path}", path=path), size=14)
            remove.setProperty("path", path)
            remove.clicked.connect(self._remove_folder)
            missing = "" if Path(path).is_dir() else tr("This folder does not exist now.")
            add_row(self.folders, path, missing, remove)
        if not folders.model_folders:
            none = label(tr("No folders added."), "muted")
            none.setContentsMargins(0, 10, 0, 10)
            self.folders.addWidget(none)
        self.download.setText(folders.download_folder)
        self.problem.hide()

    @Slot()
    def _add_folder(self) -> None:
        path = QtWidgets.QFileDialog.getExistingDirectory(self, tr("Folder with GGUF files"))
        known = self.context.settings.value.folders.model_folders
        if path and path in known:
            self.context.shell.toast(tr("{path} is in the list already", path=path))
        elif path:
            self.save("folders", model_folders=(*known, path))

    @Slot()
    def _open_folder(self) -> None:
        """In the system's file manager; made first, where nothing was ever put into it."""
        button = self.sender()
        if button is None:
            return
        folder = Path(str(button.property("path")))
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
        if not QtGui.QDesktopServices.openUrl(QtCore.QUrl.fromLocalFile(str(folder))):
            self.context.shell.toast(tr("{path} could not be opened", path=folder))

    @Slot()
    def _remove_folder(self) -> None:
        button = self.sender()
        path = button.property("path") if button is not None else None
        known = self.context.settings.value.folders.model_folders
        self.save("folders", model_folders=tuple(folder for folder in known if folder != path))

    @Slot()
    def _choose_download(self) -> None:
        path = QtWidgets.QFileDialog.getExistingDirectory(self, tr("Folder for downloads"))
        if path:
            self.save("folders", download_folder=path)

    @Slot()
    def _download_changed(self) -> None:
        folder = self.download.text().strip()
        if folder and not (Path(folder).expanduser().is_absolute() and Path(folder).expanduser().is_dir()):
            say(self.problem, tr("There is no folder {path}.", path=folder), "bad")
            return
        self.problem.hide()
        if folder != self.context.settings.value.folders.download_folder:
            self.save("folders", download_folder=folder)


class NetworkSection(SettingsSection):
    title = mark("Network")
    intro = mark("The program connects only when you ask for something that needs it.")

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        box = self.card()
        self.offline = QCheckBox(tr("Offline"))
        self.offline.clicked.connect(self._offline_clicked)
        hint = tr("Never open a connection to another machine, whatever is clicked.")
        add_row(box, tr("Work offline"), hint, self.offline)
        self.proxy = QLineEdit()
        self.proxy.setFixedWidth(FIELD_WIDTH)
        self.proxy.setPlaceholderText(tr("The system's"))
        self.proxy.editingFinished.connect(self._proxy_changed)
        add_row(box, tr("Proxy"), tr("For example http://proxy.example:8080 or socks5://127.0.0.1:1080."), self.proxy)
        self.ca_file = QLineEdit()
        self.ca_file.setFixedWidth(FIELD_WIDTH)
        self.ca_file.setPlaceholderText(tr("The system's"))
        self.ca_file.editingFinished.connect(self._ca_changed)
        choose = IconButton("file", tr("Choose the file with certificates"))
        choose.clicked.connect(self._choose_ca)
        hint = tr("A PEM file, for networks that inspect encrypted traffic.")
        add_row(box, tr("Extra certificates"), hint, self.ca_file, choose)
        self.limit = QLineEdit()
        self.limit.setFixedWidth(120)
        self.limit.setPlaceholderText(tr("None"))
        self.limit.editingFinished.connect(self._limit_changed)
        add_row(box, tr("Download limit"), tr("In KiB a second."), self.limit)
        self.token = HubToken(context, box, self)
        self.problem = label("", "bad", wrap=True)
        self.problem.hide()
        self.column.addWidget(self.problem)
        self.column.addStretch(1)
        self.show_settings()

    @Slot()
    def show_settings(self) -> None:
        network = self.context.settings.value.network
        self.offline.setChecked(network.offline)
        self.proxy.setText(network.proxy)
        self.ca_file.setText(network.ca_file)
        self.limit.setText(str(network.download_limit_kib_s) if network.download_limit_kib_s else "")

    def _tell(self, problem: str) -> None:
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))

    @Slot()
    def _offline_clicked(self) -> None:
        self.save("network", offline=self.offline.isChecked())

    @Slot()
    def _proxy_changed(self) -> None:
        proxy = self.proxy.text().strip()
        if proxy and (
            urlsplit(proxy).scheme not in ("http", "https", "socks5", "socks5h") or not urlsplit(proxy).netloc
        ):
            self._tell(tr("A proxy is written like http://host:port."))
            return
        self._tell("")
        if proxy != self.context.settings.value.network.proxy:
            self.save("network", proxy=proxy)

    @Slot()
    def _ca_changed(self) -> None:
        path = self.ca_file.text().strip()
        if path and not Path(path).is_file():
            self._tell(tr("There is no file {path}.", path=path))
            return
        self._tell("")
        if path != self.context.settings.value.network.ca_file:
            self.save("network", ca_file=path)

    @Slot()
    def _choose_ca(self) -> None:
        path, _filter = QtWidgets.QFileDialog.getOpenFileName(self, tr("Certificates"), "", "PEM (*.pem *.crt)")
        if path:
            self.save("network", ca_file=path)

    @Slot()
    def _limit_changed(self) -> None:
        text = self.limit.text().strip() or "0"
        if not (text.isascii() and text.isdigit()):
            self._tell(tr("The download limit is a whole number."))
            return
        self._tell("")
        self.save("network", download_limit_kib_s=int(text))
