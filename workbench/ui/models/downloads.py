"""The list of downloads: how each stands, and what can be done about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QProgressBar,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from workbench.ui.context import Context
from workbench.ui.formats import duration_text, number, size_text
from workbench.ui.icons import IconButton, PushButton
from workbench.ui.models.formats import repo_title
from workbench.ui.models.parts import EmptyState, Notice, set_badge, show_only
from workbench.ui.models.state import ModelsState
from workbench.ui.tr import tr, translated, translated_error, trn
from workbench.ui.widgets import ElidedLabel, label, restyle

if TYPE_CHECKING:
    from workbench.services.downloads import DownloadSnapshot

LIMITS_KIB_S = (0, 977, 1953, 4883, 9766, 24414, 48828)
"""None, then 1, 2, 5, 10, 25 and 50 MB/s."""


class DownloadCard(QFrame):
    asked = Signal(str, str)
    """(id of the download, what to do)"""

    def __init__(self, snapshot: DownloadSnapshot) -> None:
        super().__init__()
        self.setObjectName("card")
        self.snapshot = snapshot
        name = f"{repo_title(snapshot.repo_id)} {snapshot.label}"
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 12, 12)
        column.setSpacing(6)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(label(repo_title(snapshot.repo_id), "sectionTitle"))
        head.addWidget(label(snapshot.label, "badge"))
        self.badge = label("", "badge")
        head.addWidget(self.badge)
        head.addWidget(ElidedLabel(snapshot.repo_id, "small"), 1)
        self.buttons: dict[str, PushButton | IconButton] = {}
        texts = (
            ("chat", "message-square", tr("Chat with it")),
            ("first", "arrow-up", tr("Start next")),
            ("pause", "pause", tr("Pause")),
            ("resume", "play", tr("Resume")),
            ("retry", "refresh-cw", tr("Try again")),
            ("verify", "badge-check", tr("Verify")),
        )
        for action, icon, title in texts:
            button = PushButton(title, icon_name=icon)
            button.setAccessibleName(f"{title}: {name}")
            self._add(head, action, button)
        self._add(head, "cancel", IconButton("x", tr("Cancel and delete what came: {name}", name=name)))
        self._add(head, "forget", IconButton("x", tr("Take off the list: {name}", name=name)))
        column.addLayout(head)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setRange(0, 1000)
        self.progress.setAccessibleName(tr("Progress of {name}", name=name))
        column.addWidget(self.progress)
        row = QHBoxLayout()
        self.amount = label("", "stat")
        row.addWidget(self.amount, 1)
        self.speed = label("", "stat")
        row.addWidget(self.speed)
        column.addLayout(row)
        self.message = label("", "stat", wrap=True, selectable=True)
        column.addWidget(self.message)
        self._name = name
        self.show_snapshot(snapshot)

    def _add(self, row: QHBoxLayout, action: str, button: PushButton | IconButton) -> None:
        button.clicked.connect(lambda: self.asked.emit(self.snapshot.id, action))
        self.buttons[action] = button
        row.addWidget(button)

    def show_snapshot(self, snapshot: DownloadSnapshot) -> None:
        self.snapshot = snapshot
        state = snapshot.state
        shown = {
            "queued": ("first", "pause", "cancel") if snapshot.before else ("pause", "cancel"),
            "running": ("pause", "cancel"),
            "paused": ("resume", "cancel"),
            "failed": ("retry", "cancel"),
            "done": ("chat", "verify", "forget"),
            "cancelled": ("retry", "forget"),
        }[state]
        show_only(self.buttons, shown)
        text, style = self._state_text()
        set_badge(self.badge, text, style)
        self.progress.setVisible(state in ("queued", "running", "paused", "failed"))
        self.progress.setValue(round(snapshot.fraction * 1000))
        bar = {"failed": "bad", "paused": "warn"}.get(state, "")
        if self.progress.objectName() != bar:
            self.progress.setObjectName(bar)
            restyle(self.progress)
        done, total = size_text(snapshot.done_bytes), size_text(snapshot.total_bytes)
        self.amount.setText(
            total
            if state in ("done", "cancelled")
            else tr("{done} of {total} · {percent} %", done=done, total=total, percent=number(snapshot.fraction * 100))
        )
        parts = [f"{size_text(snapshot.bytes_per_s)}/s"] if snapshot.bytes_per_s > 0 else []
        if snapshot.remaining_s is not None:
            parts.append(tr("{time} left", time=duration_text(snapshot.remaining_s)))
        self.speed.setText(" · ".join(parts))
        message = _message(snapshot)
        self.message.setText(message)
        self.message.setVisible(bool(message))
        style = "bad" if state == "failed" else "warn"
        if self.message.objectName() != style:
            self.message.setObjectName(style)
            restyle(self.message)
        self.setAccessibleName(", ".join(filter(None, [self._name, text, self.amount.text(), message])))

    def _state_text(self) -> tuple[str, str]:
        phases = {
            "asking": tr("Asking the Hub"),
            "waiting": tr("Waiting"),
            "checking": tr("Checking"),
            "retrying": tr("Trying again"),
            "repairing": tr("Repairing a damaged part"),
        }
        state = self.snapshot.state
        if state == "running":
            return phases.get(self.snapshot.phase, tr("Downloading")), "badge"
        before = self.snapshot.before
        return {
            "queued": (
                trn("Waiting, {count} before it", "Waiting, {count} before it", before) if before else tr("Next"),
                "badge",
            ),
            "paused": (tr("Paused"), "badgeWarn"),
            "failed": (tr("Stopped by an error"), "badgeBad"),
            "done": (tr("Complete, checksum verified"), "badgeGood"),
            "cancelled": (tr("Cancelled"), "badge"),
        }[state]


def _message(snapshot: DownloadSnapshot) -> str:
    """What went wrong and what to do, or what is being done about it."""
    error = translated_error(snapshot.error) if snapshot.error else None
    if error is None:
        return translated(snapshot.message)
    hints = {
        "not_found": tr("It may have been renamed or taken away: look at the repository again."),
        "checksum": tr("Try again: only the damaged part is fetched anew."),
    }
    hint = error.hint or hints.get(error.kind, tr("What came is kept. Try again."))
    return f"{error.message} {hint}"


class DownloadsView(QWidget):
    chat_requested = Signal(str)
    """Path of a downloaded model."""
    discover_requested = Signal()

    def __init__(self, context: Context, state: ModelsState) -> None:
        super().__init__()
        self._context, self._state = context, state
        self.cards: dict[str, DownloadCard] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self.stack = QStackedWidget()
        column.addWidget(self.stack)
        self.empty = EmptyState(
            "download",
            tr("No downloads"),
            tr(
                "Models you download are listed here. They can be paused, survive a restart, and are checked "
                "against the Hub's checksum before they are used."
            ),
        )
        self.empty.add_button(tr("Find a model"), self.discover_requested.emit, primary=True)
        self.stack.addWidget(self.empty)
        self.stack.addWidget(self._make_list())
        state.transfers.changed.connect(self._show)
        state.installed_changed.connect(self._show_space)
        self._show()

    def _make_list(self) -> QWidget:
        page = QWidget()
        outer = QVBoxLayout(page)
        outer.setContentsMargins(20, 4, 14, 0)
        outer.setSpacing(8)
        head = QHBoxLayout()
        head.setContentsMargins(0, 0, 6, 0)  # as far in as the cards, which leave room for the scroll bar
        head.setSpacing(8)
        self.summary = label("", "stat")
        head.addWidget(self.summary, 1)
        self.limit = QComboBox()
        self.limit.setAccessibleName(tr("Speed limit of all downloads together"))
        self.limit.setToolTip(self.limit.accessibleName())
        self.limit.activated.connect(self._set_limit)
        head.addWidget(self.limit)
        self.pause_all = PushButton(tr("Pause all"), icon_name="pause")
        self.pause_all.clicked.connect(self._state.transfers.pause_all)
        self.resume_all = PushButton(tr("Resume all"), icon_name="play")
        self.resume_all.clicked.connect(self._state.transfers.resume_all)
        self.clear = PushButton(tr("Clear the finished"), icon_name="list-checks")
        self.clear.clicked.connect(self._clear)
        for button in (self.pause_all, self.resume_all, self.clear):
            head.addWidget(button)
        outer.addLayout(head)
        self._show_limit()
        self._context.settings.changed.connect(self._show_limit)
        self.offline = Notice("card")
        self.offline.add_button(tr("Go online"), lambda: self._context.actions["network.toggle"].trigger())
        holder = QHBoxLayout()
        holder.setContentsMargins(0, 0, 6, 0)
        holder.addWidget(self.offline)
        outer.addLayout(holder)
        self._context.settings.changed.connect(self._show)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setAccessibleName(tr("Downloads"))
        content = QWidget()
        content.setObjectName("content")
        self._column = QVBoxLayout(content)
        self._column.setContentsMargins(0, 2, 6, 16)
        self._column.setSpacing(10)
        self._column.addStretch(1)
        scroll.setWidget(content)
        outer.addWidget(scroll, 1)
        return page

    @Slot()
    def _show(self) -> None:
        snapshots = self._state.transfers.snapshots
        known = {snapshot.id for snapshot in snapshots}
        for gone in [download_id for download_id in self.cards if download_id not in known]:
            old = self.cards.pop(gone)
            self._column.removeWidget(old)
            old.deleteLater()
        for snapshot in snapshots:
            card = self.cards.get(snapshot.id)
            if card is None:
                card = self.cards[snapshot.id] = DownloadCard(snapshot)
                card.asked.connect(self._act)
                self._column.insertWidget(0, card)  # newest first
            elif card.snapshot != snapshot:
                card.show_snapshot(snapshot)
        self.stack.setCurrentIndex(1 if snapshots else 0)
        states = {snapshot.state for snapshot in snapshots}
        self.pause_all.setVisible(bool(states & {"queued", "running"}))
        self.resume_all.setVisible("paused" in states)
        self.clear.setVisible(bool(states & {"done", "cancelled"}))
        self.offline.setVisible(False)
        if self._state.hub.offline and states & {"queued", "running", "paused", "failed"}:
            self.offline.show_text(
                tr("You are offline"), tr("Downloads are paused and keep what came. Resume them once you are online.")
            )
        self._show_space()

    @Slot()
    def _show_space(self) -> None:
        left = sum(s.total_bytes - s.done_bytes for s in self._state.transfers.unfinished)
        inventory = self._state.inventory
        free = inventory.free_bytes if inventory else 0
        parts = [tr("{size} still to come", size=size_text(left))] if left else []
        if free:
            parts.append(tr("{size} free on the disk", size=size_text(free)))
        self.summary.setText(" · ".join(parts))

    @Slot()
    def _show_limit(self) -> None:
        """The usual limits, and the one that was chosen in the settings."""
        chosen = self._context.settings.value.network.download_limit_kib_s
        self.limit.clear()
        for limit in sorted({*LIMITS_KIB_S, chosen}):
            speed = size_text(limit * 1024)
            self.limit.addItem(tr("At most {speed}/s", speed=speed) if limit else tr("No speed limit"), limit)
        self.limit.setCurrentIndex(self.limit.findData(chosen))

    @Slot()
    def _set_limit(self) -> None:
        settings = self._context.settings
        network = msgspec.structs.replace(settings.value.network, download_limit_kib_s=self.limit.currentData())
        problem = settings.save(msgspec.structs.replace(settings.value, network=network))
        self._context.shell.banner("settings", problem)

    @Slot(str, str)
    def _act(self, download_id: str, action: str) -> None:
        transfers = self._state.transfers
        if action == "chat":
            self.chat_requested.emit(self.cards[download_id].snapshot.path)
        elif action == "cancel":
            name = repo_title(self.cards[download_id].snapshot.repo_id)
            transfers.cancel(download_id)
            self._context.shell.toast(
                tr("Download of {name} cancelled", name=name),
                tr("Undo"),
                lambda: transfers.resume(download_id),
            )
        else:
            do: dict[str, Callable[[str], object]] = {
                "pause": transfers.pause,
                "first": transfers.first,
                "resume": transfers.resume,
                "retry": transfers.resume,
                "verify": transfers.verify,
                "forget": transfers.forget,
            }
            do[action](download_id)

    @Slot()
    def _clear(self) -> None:
        over = [s.id for s in self._state.transfers.snapshots if s.state in ("done", "cancelled")]
        self._state.transfers.forget(*over)
