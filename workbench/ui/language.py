"""The window's language: which one, its catalogue, Qt's own texts, the formats of numbers and dates, the direction."""

from __future__ import annotations

from PySide6.QtCore import QLibraryInfo, QLocale, QObject, QTranslator
from PySide6.QtWidgets import QApplication

from workbench.core.tr import best_language, use_language, use_number_format
from workbench.core.tr import language as language_in_use

RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ur"})
"""Asked here, as Qt's answer is an enum of `Qt`, and those take 15 ms when the first one is wanted."""


class Language(QObject):
    """Sets the language for everything made after it; `leave` takes Qt's own texts away again."""

    def __init__(self, app: QApplication, wanted: str, parent: QObject | None = None) -> None:
        """`wanted` is a tag like de or zh_CN; empty follows the system's order of preference."""
        super().__init__(parent)
        self._app = app
        self._qt_texts = QTranslator(self)
        use_language(wanted_language(wanted))
        self.code = language_in_use()
        QLocale.setDefault(locale_for(self.code))
        use_number_format(_whole_number)
        if self.code != "en":
            self._speak(app)

    def _speak(self, app: QApplication) -> None:
        folder = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
        if self._qt_texts.load(f"qtbase_{self.code}", folder):
            app.installTranslator(self._qt_texts)
        if self.code in RIGHT_TO_LEFT:
            app.setLayoutDirection(QLocale(self.code).textDirection())

    def leave(self) -> None:
        """Let go of Qt's texts and of the direction."""
        self._app.removeTranslator(self._qt_texts)
        if self.code in RIGHT_TO_LEFT:
            self._app.setLayoutDirection(QLocale("en").textDirection())


def wanted_language(setting: str) -> str:
    """The code of the language that a setting stands for; empty is the system's."""
    return best_language([setting] if setting else QLocale.system().uiLanguages())


def _whole_number(value: int) -> str:
    """As `formats.number`, whose module would bring `datetime` in before the first paint."""
    return QLocale().toString(value)


def locale_for(code: str) -> QLocale:
    """The system's formats where it speaks this language, else those of the language."""
    system, own = QLocale.system(), QLocale({"en": "en_US"}.get(code, code))
    return system if system.name().partition("_")[0] == code.partition("_")[0] else own
