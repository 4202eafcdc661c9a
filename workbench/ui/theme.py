"""How the window looks: Fusion, a palette and a short style sheet, all made from `tokens`."""

from __future__ import annotations

from string import Template
from typing import TYPE_CHECKING, NamedTuple

from PySide6 import QtCore
from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication

from workbench.core.paths import bundled
from workbench.ui.style import STYLE
from workbench.ui.tokens import DARK, LIGHT, Tokens

if TYPE_CHECKING:
    from workbench.core.settings import Appearance

UI_FAMILIES = ["Inter", "Segoe UI", "SF Pro Text", "Noto Sans", "DejaVu Sans", "sans-serif"]
MONO_FAMILIES = ["JetBrains Mono", "Cascadia Mono", "SF Mono", "DejaVu Sans Mono", "monospace"]
BASE_PX = 13
PAUSE_MS = 80
"""Between two changes: each costs a pass over every widget."""
LARGEST_SCALE = 150
"""Percent up to which the least widths of panels grow with the text; beyond that their texts wrap."""
FIRST_FONTS = ("Inter-Regular.otf", "Inter-SemiBold.otf")
"""Those of the first paint."""
OTHER_FONTS = ("Inter-Italic.otf", "JetBrainsMono-Regular.ttf")
DARK_BELOW = 128
"""Lightness of a window's background (0 to 255) under which its palette is a dark one."""
SCHEMES = {"system": 0, "light": 1, "dark": 2}
"""`Qt.ColorScheme` by number: see `ui.numbers`."""


class Look(NamedTuple):
    """What the user sets of the window's look."""

    theme: str = "system"
    text_scale: int = 100


def load_fonts(names: tuple[str, ...]) -> None:
    """Make bundled fonts known to Qt. Missing files fall back to the system's families."""
    folder = bundled("resources") / "fonts"
    for name in names:
        QFontDatabase.addApplicationFont(str(folder / name))


def ui_font(scale: int) -> QFont:
    font = QFont()
    font.setFamilies(UI_FAMILIES)
    font.setPixelSize(scaled(BASE_PX, scale))
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    return font


def mono_font(pixel_size: int) -> QFont:
    font = QFont()
    font.setFamilies(MONO_FAMILIES)
    font.setStyleHint(QFont.StyleHint.Monospace)
    font.setPixelSize(pixel_size)
    return font


def scaled(pixels: int, scale: int) -> int:
    """`pixels` at a text size of `scale` percent."""
    return max(round(pixels * scale / 100), 1)


def palette_of(tokens: Tokens) -> QPalette:
    palette = QPalette()
    role = QPalette.ColorRole
    colors = {
        role.Window: tokens.bg,
        role.Base: tokens.panel,
        role.AlternateBase: tokens.side,
        role.Button: tokens.panel,
        role.WindowText: tokens.text,
        role.Text: tokens.text,
        role.ButtonText: tokens.text,
        role.BrightText: tokens.bad,
        role.ToolTipBase: tokens.panel,
        role.ToolTipText: tokens.text,
        role.Highlight: tokens.accent,
        role.HighlightedText: tokens.on_accent,
        role.PlaceholderText: tokens.muted,
        role.Link: tokens.link,
        role.LinkVisited: tokens.link,
        role.Accent: tokens.accent,
        role.Light: tokens.hover,
        role.Midlight: tokens.hover,
        role.Mid: tokens.border,
        role.Dark: tokens.border,
        role.Shadow: tokens.border,
    }
    for name, color in colors.items():
        palette.setColor(name, QColor(color))
    for name in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText):
        palette.setColor(QPalette.ColorGroup.Disabled, name, QColor(tokens.muted))
    return palette


def style_sheet(tokens: Tokens, scale: int) -> str:
    values = {name: getattr(tokens, name) for name in tokens._fields if name != "dark"}
    values |= {f"f{pixels}": f"{scaled(pixels, scale)}px" for pixels in (8, 10, 11, 12, 13, 14, 15, 18, 22)}
    values["button"] = tokens.chip if tokens.dark else tokens.panel
    values["mono"] = ", ".join(f'"{family}"' for family in MONO_FAMILIES)
    icons = (bundled("resources") / "icons").as_posix()
    values["icons"] = icons
    values["arrow"] = f"{icons}/chevron-down-{'dark' if tokens.dark else 'light'}.svg"
    values["tick"] = f"{icons}/check-on-accent.svg"
    return Template(STYLE).substitute(values)


class Theme(QObject):
    """The window's look as it is now; tells when it changes."""

    changed = Signal()

    def __init__(self, app: QApplication, look: Look, parent: QObject | None = None) -> None:
        super().__init__(parent or app)
        self._app = app
        self._look = look
        self.tokens = LIGHT
        self.scale = 100
        if app.style().name() != "fusion":
            app.setStyle("Fusion")
        load_fonts(FIRST_FONTS)
        self._with_style_sheet = False
        self._follows = False
        """The first paint is over, and the system's changes are heard of."""
        self._waiting = False
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MS)
        self._pause.timeout.connect(self._apply_waiting)
        self._apply()

    def finish(self) -> None:
        """Put the style sheet on, once the window is built: every widget made or moved before costs nothing then."""
        self._with_style_sheet = True
        self._app.setStyleSheet(style_sheet(self.tokens, self.scale))

    def follow_system(self) -> None:
        """What can wait until the window is painted: the rarer fonts, and hearing of the system's changes."""
        load_fonts(OTHER_FONTS)
        self._follows = True
        self._app.styleHints().colorSchemeChanged.connect(self._scheme_changed)
        self._scheme_changed()

    def set_appearance(self, appearance: Appearance) -> None:
        look = Look(appearance.theme, appearance.text_scale)
        if look != self._look:
            self._look = look
            self._waiting = True
            if not self._pause.isActive():
                self._apply_waiting()

    @Slot()
    def _apply_waiting(self) -> None:
        """One change at once, those that come right after it (a key held down) together."""
        if self._waiting:
            self._waiting = False
            self._apply()
            self._pause.start()

    @Slot()
    def _scheme_changed(self) -> None:
        if self._look.theme == "system" and self._wanted() is not self.tokens:
            self._apply()

    def _wanted(self) -> Tokens:
        dark = self._system_is_dark() if self._look.theme == "system" else self._look.theme == "dark"
        return DARK if dark else LIGHT

    def _system_is_dark(self) -> bool:
        if self._follows:
            return self._app.styleHints().colorScheme() == QtCore.Qt.ColorScheme.Dark
        # For the first paint (see `ui.numbers`): Fusion's own palette is a dark one where the system wants that.
        return self._app.style().standardPalette().color(QPalette.ColorRole.Window).lightness() < DARK_BELOW

    def _apply(self) -> None:
        self._app.styleHints().setProperty("colorScheme", SCHEMES[self._look.theme])
        self.tokens = self._wanted()
        self.scale = self._look.text_scale
        self._app.setFont(ui_font(self.scale))
        self._app.setPalette(palette_of(self.tokens))
        if self._with_style_sheet:
            self._app.setStyleSheet(style_sheet(self.tokens, self.scale))
        self.changed.emit()
