"""What stands in the table's place while it has no rows."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from workbench.ui.icons import IconLabel, PushButton
from workbench.ui.tr import tr
from workbench.ui.widgets import label


class EmptyNote(QWidget):
    import_requested = Signal()
    clear_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setSpacing(10)
        column.addStretch(2)
        center = Qt.AlignmentFlag.AlignHCenter
        column.addWidget(IconLabel("history", 32), 0, center)
        self.title = label("", "heading")
        column.addWidget(self.title, 0, center)
        self.text = label("", "muted", wrap=True)
        self.text.setAlignment(center)
        self.text.setContentsMargins(64, 0, 64, 0)
        column.addWidget(self.text)
        self.clear = PushButton(tr("Clear search and filters"), icon_name="x")
        self.clear.clicked.connect(self.clear_requested)
        column.addWidget(self.clear, 0, center)
        self.importing = PushButton(tr("Import conversations…"), icon_name="arrow-down-to-line")
        self.importing.clicked.connect(self.import_requested)
        column.addWidget(self.importing, 0, center)
        column.addStretch(3)

    def show_state(self, *, filtered: bool) -> None:
        """Nothing fits the filters, or there is nothing at all yet."""
        self.clear.setVisible(filtered)
        self.importing.setVisible(not filtered)
        if filtered:
            self.title.setText(tr("No run fits"))
            self.text.setText(tr("Other words, or fewer filters, may find it."))
            return
        self.title.setText(tr("Nothing here yet"))
        self.text.setText(
            tr(
                "Every answer is kept here with how it came to be. You can also bring your conversations from ChatGPT, "
                "Claude or llm, and ask a local model the same."
            )
        )

    def show_problem(self) -> None:
        """The database could not be opened; the banner above says why."""
        self.clear.hide()
        self.importing.hide()
        self.title.setText(tr("The history can't be shown"))
        self.text.setText(tr("The database could not be opened."))
