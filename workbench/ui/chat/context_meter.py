"""How many tokens everything that would be sent takes, and how full that makes the context."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QWidget

from workbench.ui.formats import number
from workbench.ui.tr import tr
from workbench.ui.widgets import label, restyle

NEARLY_FULL = 0.85
"""Share of the context from which on its bar warns."""


class ContextMeter(QWidget):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 4, 0)
        row.setSpacing(6)
        self.tokens = label("", "stat")
        self.tokens.setAccessibleName(tr("Size of the prompt"))
        row.addWidget(self.tokens)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(72)
        self.bar.setRange(0, 1000)
        self.bar.setAccessibleName(tr("How full the context is"))
        row.addWidget(self.bar)

    def show_count(self, tokens: int | None, limit: int | None, exact: bool) -> None:
        """`tokens` None: nothing to count. `limit` None: the context's size is not known."""
        mark = "" if exact else "~"
        most = number(limit or 0)
        over = tokens - limit if limit and tokens is not None else 0
        if tokens is None:
            text = ""
        elif over > 0:
            text = tr("{mark}{over} tokens too many for {limit}", mark=mark, over=number(over), limit=most)
        elif limit:
            text = tr("{mark}{tokens} of {limit} tokens", mark=mark, tokens=number(tokens), limit=most)
        else:
            text = tr("{mark}{tokens} tokens", mark=mark, tokens=number(tokens))
        self.tokens.setText(text)
        self.bar.setVisible(bool(limit) and tokens is not None)
        share, tip = 0.0, ""
        if limit and tokens is not None:
            share = tokens / limit
            self.bar.setValue(min(round(share * 1000), 1000))
            tip = tr("The context is {percent} % full.", percent=round(share * 100))
            if over > 0:
                tip += " " + tr("The prompt does not fit: older turns must go, or the context must grow.")
        for widget, usual in ((self.bar, ""), (self.tokens, "stat")):
            widget.setToolTip(tip)
            name = "bad" if over > 0 else "warn" if share > NEARLY_FULL else usual
            if widget.objectName() != name:
                widget.setObjectName(name)
                restyle(widget)
