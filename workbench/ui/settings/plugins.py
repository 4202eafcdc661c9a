"""Plugins: which are there, which failed and why, each can be switched off."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QCheckBox

from workbench.core.paths import bundled
from workbench.ui.context import Context
from workbench.ui.settings.section import SettingsSection, add_row, clear
from workbench.ui.tr import mark, tr
from workbench.ui.widgets import label

SHIPPED = {
    "anthropic": (mark("Anthropic"), mark("Claude models, over Anthropic's API.")),
    "google": (mark("Google"), mark("Gemini models, over Google's API.")),
    "graders": (mark("Graders"), mark("Judge answers of an evaluation: text, numbers, JSON, code.")),
    "llm_bridge": (mark("Bridge to llm"), mark("Models of the plugins for the command line tool “llm”.")),
    "log_formats": (mark("Formats of the history"), mark("Export and import of chats and runs.")),
    "openai": (mark("OpenAI and compatible"), mark("OpenAI, services that speak its protocol, and local servers.")),
}
"""What comes with the program: name -> (title, what it brings)."""


class PluginsSection(SettingsSection):
    title = mark("Plugins")
    intro = mark("What ships with the program, what is installed as a package, and files in your plugin folder.")

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.box = self.card()
        self.restart = label(tr("Takes effect at the next start."), "warn")
        self.restart.hide()
        self.column.addWidget(self.restart)
        self.column.addStretch(1)
        context.backend.when_ready(self.show_settings)

    @Slot()
    def show_settings(self) -> None:
        backend = self.context.backend.value
        if backend is None:
            return
        clear(self.box)
        disabled = self.context.settings.value.plugins.disabled
        for status in backend.plugins.loaded:
            switch = QCheckBox(tr("On"))
            switch.setChecked(status.name not in disabled)
            switch.setProperty("plugin", status.name)
            switch.setToolTip(status.source)
            switch.clicked.connect(self._switched)
            title, about = status.name, " · ".join(part for part in (status.version, status.source) if part)
            if status.name in SHIPPED and Path(status.source).parent == bundled("plugins"):
                title, about = (tr(text) for text in SHIPPED[status.name])
            switch.setAccessibleName(tr("Use the plugin {name}", name=title))
            add_row(self.box, title, about, switch)
            if status.error:
                told = label(status.error, "bad", wrap=True, selectable=True)
                told.setContentsMargins(0, 0, 0, 10)
                self.box.addWidget(told)
        if not backend.plugins.loaded:
            self.box.addWidget(label(tr("No plugins."), "muted"))

    @Slot()
    def _switched(self) -> None:
        switch = self.sender()
        if not isinstance(switch, QCheckBox):
            return
        name = str(switch.property("plugin"))
        disabled = set(self.context.settings.value.plugins.disabled)
        disabled = disabled - {name} if switch.isChecked() else disabled | {name}
        self.restart.show()
        self.save("plugins", disabled=tuple(sorted(disabled)))
