"""Shows one help page: text that scales, pictures that fit, links for mouse and keyboard. Nothing is fetched."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from PySide6.QtCore import QMarginsF, Qt, QTimer, QUrl, Signal, Slot
from PySide6.QtGui import (
    QFont,
    QImage,
    QPageLayout,
    QPageSize,
    QPdfWriter,
    QResizeEvent,
    QTextCursor,
    QTextDocument,
)
from PySide6.QtWidgets import QTextBrowser, QTextEdit, QWidget

from workbench.core.errors import StoreError
from workbench.ui.help.pages import IMAGE, HelpPage, anchor, filled, html, picture
from workbench.ui.help.pages import Actions as PageActions
from workbench.ui.theme import Theme, scaled, ui_font
from workbench.ui.tokens import LIGHT, Tokens
from workbench.ui.tr import tr

LARGEST_PICTURE = 760
"""Pixels: the text's width is kept readable too."""
MARGIN = 28
RESIZE_PAUSE_MS = 120
PRINT_MARGIN_MM = 18
PRINT_DPI = 96


def style(tokens: Tokens, scale: int) -> str:
    px = {size: scaled(size, scale) for size in (12, 13, 14, 16, 21)}
    return (
        f"body, p, li, td, th {{ color: {tokens.text}; font-size: {px[14]}px; }}"
        f"p {{ margin: 0 0 10px 0; }} li {{ margin: 0 0 5px 0; }}"
        f"h1 {{ font-size: {px[21]}px; font-weight: 600; margin: 4px 0 12px 0; color: {tokens.text}; }}"
        f"h2 {{ font-size: {px[16]}px; font-weight: 600; margin: 18px 0 6px 0; color: {tokens.text}; }}"
        f"strong {{ font-weight: 600; }}"
        f"a {{ color: {tokens.link}; text-decoration: none; }}"
        f".code {{ font-family: 'JetBrains Mono', monospace; font-size: {px[12]}px; background-color: {tokens.chip}; }}"
        f".caption {{ color: {tokens.muted}; font-size: {px[12]}px; }}"
        f"th {{ color: {tokens.muted}; text-align: left; font-size: {px[12]}px; }}"
        f"blockquote {{ color: {tokens.muted}; margin-left: 14px; }}"
    )


class HelpView(QTextBrowser):
    """`followed` comes with what a link leads to: a page (with `#heading`), or `action:ID`."""

    followed = Signal(str)

    def __init__(self, theme: Theme, actions: PageActions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._actions = theme, actions
        self.page: HelpPage | None = None
        self._words: list[str] = []
        self.setOpenLinks(False)
        self.setFrameShape(QTextBrowser.Shape.NoFrame)
        self.setObjectName("helpText")
        self.setAccessibleName(tr("Help text"))
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextBrowserInteraction | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setSearchPaths([])
        self.setCursorWidth(0)  # the keyboard selects text, and nothing is written here
        self.anchorClicked.connect(self._clicked)
        self._resized = QTimer(self)
        self._resized.setSingleShot(True)
        self._resized.setInterval(RESIZE_PAUSE_MS)
        self._resized.timeout.connect(self.redraw)

    def show_page(self, page: HelpPage, heading: str = "", words: list[str] | None = None) -> None:
        """From its beginning or from a heading; `words` are marked, and the first of them brought into view."""
        self.page, self._words = page, words or []
        self._draw()
        self.verticalScrollBar().setValue(0)
        self.moveCursor(QTextCursor.MoveOperation.Start)
        if heading:
            self._go_to(heading)
        self._mark(go_there=not heading)
        self.setAccessibleDescription(page.title)

    def _go_to(self, heading: str) -> None:
        """Bring a heading to the top, by its `anchor`."""
        block = self.document().begin()
        while block.isValid():
            if block.blockFormat().headingLevel() and anchor(block.text()) == heading:
                self.setTextCursor(QTextCursor(block))
                top = self.document().documentLayout().blockBoundingRect(block).top()
                self.verticalScrollBar().setValue(int(top))
                return
            block = block.next()

    @Slot()
    def redraw(self) -> None:
        """With the theme, text size, width and keys as they are now, at the same place."""
        if self.page is None:
            return
        bar = self.verticalScrollBar()
        part = bar.value() / max(bar.maximum(), 1)
        self._draw()
        self._mark(go_there=False)
        bar.setValue(round(part * bar.maximum()))

    def text_of(self, page: HelpPage) -> str:
        return filled(page, self._actions, tr("no keys"))

    def _draw(self) -> None:
        assert self.page is not None
        document = self.document()
        document.setDefaultFont(ui_font(self._theme.scale))
        document.setDefaultStyleSheet(style(self._theme.tokens, self._theme.scale))
        document.setDocumentMargin(MARGIN)
        width = min(LARGEST_PICTURE, max(self.viewport().width() - 2 * MARGIN, 120))
        tag = self._picture_tags(document, self._theme.tokens.dark, width, self.devicePixelRatioF())
        self.setHtml(html(self.page, self.text_of(self.page), tag))

    def _picture_tags(self, document: QTextDocument, dark: bool, width: int, ratio: float) -> Callable[[str], str]:
        def tag(name: str) -> str:
            image = QImage(str(picture(name, dark=dark)))
            if image.isNull():
                return ""
            smooth = Qt.TransformationMode.SmoothTransformation
            shown = image.scaledToWidth(min(round(width * ratio), image.width()), smooth)
            shown.setDevicePixelRatio(ratio)
            url = f"{IMAGE}{name}"
            document.addResource(QTextDocument.ResourceType.ImageResource, QUrl(url), shown)
            size = shown.deviceIndependentSize()
            return f'<img src="{escape(url)}" width="{round(size.width())}" height="{round(size.height())}">'

        return tag

    def _mark(self, *, go_there: bool) -> None:
        """Mark the words that were searched for."""
        marks = []
        first: QTextCursor | None = None
        for word in self._words:
            cursor = self.document().find(word)
            while not cursor.isNull():
                selection = QTextEdit.ExtraSelection()
                selection.cursor = cursor
                selection.format.setBackground(self.palette().highlight())
                selection.format.setForeground(self.palette().highlightedText())
                marks.append(selection)
                if first is None or cursor.position() < first.position():
                    first = cursor
                cursor = self.document().find(word, cursor)
        self.setExtraSelections(marks)
        if first is not None and go_there:
            place = QTextCursor(first)
            place.clearSelection()
            self.setTextCursor(place)
            self.ensureCursorVisible()

    @Slot(QUrl)
    def _clicked(self, url: QUrl) -> None:
        self.followed.emit(url.toString())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._resized.start()

    # --- on paper ----------------------------------------------------------------------------------------------------
    def save_pdf(self, path: str) -> None:
        """The page that is shown, in light colours on A4. Raises StoreError where it can't be written."""
        assert self.page is not None
        writer = QPdfWriter(path)
        writer.setTitle(self.page.title)
        writer.setPageSize(QPageSize(QPageSize.PageSizeId.A4))
        writer.setPageMargins(QMarginsF(*[PRINT_MARGIN_MM] * 4), QPageLayout.Unit.Millimeter)
        document = QTextDocument()
        font = QFont(ui_font(100))
        document.setDefaultFont(font)
        document.setDefaultStyleSheet(style(LIGHT, 100))
        tag = self._picture_tags(document, False, 620, 1.0)
        document.setHtml(html(self.page, self.text_of(self.page), tag))
        writer.setResolution(PRINT_DPI)  # of the sizes above, which are pixels
        document.print_(writer)
        if not _begins_like_a_pdf(path):
            raise StoreError(f"{path} can't be written.", hint="Choose another folder.")


def _begins_like_a_pdf(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(5) == b"%PDF-"
    except OSError:
        return False
