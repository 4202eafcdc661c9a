"""What to do about a repository whose owner wants to be asked: request access, enter a token, try again."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from workbench.ui.icons import IconButton, IconLabel, PushButton
from workbench.ui.models.parts import open_in_browser
from workbench.ui.tr import tr
from workbench.ui.widgets import copy_text, label

TOKENS_PAGE = "https://huggingface.co/settings/tokens"


class GatedPanel(QFrame):
    token_entered = Signal(str)
    retry_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self.setAccessibleName(tr("Access needed"))
        self._access_url = ""
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 14)
        column.setSpacing(10)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(IconLabel("lock", 16))
        self.title = label(tr("The owner grants access on request"), "sectionTitle")
        head.addWidget(self.title, 1)
        column.addLayout(head)
        self.text = label("", "stat", wrap=True)
        column.addWidget(self.text)
        steps = QGridLayout()
        steps.setHorizontalSpacing(10)
        steps.setVerticalSpacing(10)
        steps.setColumnStretch(1, 1)
        column.addLayout(steps)
        self.request = PushButton(tr("Request access…"), icon_name="external-link")
        self.request.clicked.connect(self._request)
        self.copy = IconButton("copy", tr("Copy the page's address"))
        self.copy.clicked.connect(self._copy)
        self._first = self._add_step(
            steps, 0, tr("Accept the owner's terms on the model's page."), self.request, self.copy
        )
        self.token = QLineEdit()
        self.token.setEchoMode(QLineEdit.EchoMode.Password)
        self.token.setPlaceholderText("hf_…")
        self.token.setAccessibleName(tr("Hugging Face access token"))
        self.token.setMinimumWidth(160)
        self.token.returnPressed.connect(self._save)
        self.save = PushButton(tr("Save token"), icon_name="key")
        self.save.clicked.connect(self._save)
        self.make = IconButton("external-link", tr("Make a token on huggingface.co…"))
        self.make.clicked.connect(self._make_token)
        text = tr("Enter a token of yours that may read it.")
        self._add_step(steps, 1, text, self.token, self.save, self.make)
        self.retry = PushButton(tr("Try again"), icon_name="refresh-cw")
        self.retry.clicked.connect(self.retry_requested)
        self._add_step(steps, 2, tr("Try again, once access was granted."), self.retry)

    def set_state(self, access_url: str, *, has_token: bool, refused: bool = False, gated: bool = True) -> None:
        """`refused`: the Hub does not accept the token that is kept; `gated`: the owner wants to be asked."""
        self._access_url = access_url
        for widget in self._first:
            widget.setVisible(gated)
        if refused:
            self.title.setText(tr("The Hub does not accept the access token"))
            self.text.setText(tr("It may have been mistyped, revoked, or have expired. Enter another one."))
            return
        self.title.setText(tr("The owner grants access on request"))
        self.text.setText(
            tr("A token is kept already, but its account has not been let in yet, or may not read this.")
            if has_token
            else tr(
                "Three steps, once for each such model. The token is kept in the system's keyring where there is one."
            )
        )

    @staticmethod
    def _add_step(grid: QGridLayout, row: int, text: str, *widgets: QWidget) -> tuple[QWidget, ...]:
        """All widgets of the step."""
        number = label(str(row + 1), "badge")
        number.setAlignment(Qt.AlignmentFlag.AlignCenter)
        grid.addWidget(number, row, 0, Qt.AlignmentFlag.AlignVCenter)
        words = label(text, wrap=True)
        grid.addWidget(words, row, 1)
        holder = QHBoxLayout()
        holder.setSpacing(6)
        for widget in widgets:
            holder.addWidget(widget)
        grid.addLayout(holder, row, 2, Qt.AlignmentFlag.AlignRight)
        return number, words, *widgets

    @Slot()
    def _request(self) -> None:
        open_in_browser(self, self._access_url)

    @Slot()
    def _make_token(self) -> None:
        open_in_browser(self, TOKENS_PAGE)

    @Slot()
    def _copy(self) -> None:
        copy_text(self._access_url)

    @Slot()
    def _save(self) -> None:
        token = self.token.text().strip()
        if token:
            self.token.clear()
            self.token_entered.emit(token)
        else:
            self.token.setFocus(Qt.FocusReason.OtherFocusReason)
