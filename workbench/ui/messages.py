"""The window's messages: lasting ones at the top, passing ones at the bottom."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QVBoxLayout, QWidget

from workbench.core.errors import ErrorInfo
from workbench.ui.widgets import Banner, Toast


class Messages:
    def __init__(self, column: QVBoxLayout, over: QWidget) -> None:
        """Banners come to the top of `column`, the toast stands over `over`."""
        self._banners: dict[str, Banner] = {}
        self._box = QVBoxLayout()
        self._box.setSpacing(0)
        column.insertLayout(0, self._box)
        self.toaster = Toast(over)

    def banner(
        self,
        key: str,
        error: ErrorInfo | None,
        kind: str = "warn",
        action: tuple[str, Callable[[], object]] | None = None,
    ) -> None:
        """A message under `key` in place of an earlier one; None takes it away."""
        old = self._banners.pop(key, None)
        if old is not None:
            old.setParent(None)
            old.deleteLater()
        if error is None:
            return
        banner = Banner(error, kind, action)
        banner.dismissed.connect(lambda: self.banner(key, None))
        self._banners[key] = banner
        self._box.addWidget(banner)

    def __getitem__(self, key: str) -> Banner:
        return self._banners[key]

    @property
    def banner_texts(self) -> list[str]:
        return [banner.accessibleName() for banner in self._banners.values()]
