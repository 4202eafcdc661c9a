"""The opened repository: what it is, which of its models to take, and its card."""

from __future__ import annotations

import importlib

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QHBoxLayout,
    QProgressBar,
    QScrollArea,
    QSlider,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from workbench.hub.repos import Quantization
from workbench.ui.context import Context
from workbench.ui.flow import FlowLayout
from workbench.ui.formats import count_text, size_text
from workbench.ui.icons import IconButton
from workbench.ui.models.formats import age_text, owner_of, repo_title, task_text, tokens_text
from workbench.ui.models.gated import GatedPanel
from workbench.ui.models.parts import EmptyState, Notice, Segments, open_in_browser, set_badge
from workbench.ui.models.quantizations import QuantizationList, RowState
from workbench.ui.models.repository import Repository
from workbench.ui.models.state import ModelsState
from workbench.ui.tr import tr, translated, trn
from workbench.ui.transcript import TranscriptItem, TranscriptView
from workbench.ui.widgets import ElidedLabel, copy_text, label

BADGES = ("parameters", "architecture", "context", "license", "task", "gated")


class RepositoryPanel(QWidget):
    chat_requested = Signal(str)
    """Model id."""
    downloads_requested = Signal()

    def __init__(self, context: Context, state: ModelsState, repository: Repository) -> None:
        super().__init__()
        self._context, self._state, self._repository = context, state, repository
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self.stack = QStackedWidget()
        column.addWidget(self.stack)
        self.empty = EmptyState(
            "boxes",
            tr("Choose a model"),
            tr("Open one on the left to see its files, what each would need on this machine, and its model card."),
        )
        self.stack.addWidget(self.empty)
        self.page: QWidget | None = None
        self._card: TranscriptView | None = None
        repository.opened.connect(self._opened)

    @property
    def card(self) -> TranscriptView:
        """The model card; made when it is first wanted."""
        if self._card is None:
            self._card = TranscriptView()
            self._card.setAccessibleName(tr("Model card"))
            self._card.setAcceptDrops(False)
            self._card.link_activated.connect(self._open_link)
            self.parts.addWidget(self._card)
            self._theme_changed()
        return self._card

    # --- building --------------------------------------------------------------------------------------------
    def _build(self) -> None:
        self.page = QWidget()
        column = QVBoxLayout(self.page)
        column.setContentsMargins(20, 16, 20, 0)
        column.setSpacing(10)
        self._build_head(column)
        self.tabs = Segments(tr("Parts of the repository"), (("files", tr("Files")), ("card", tr("Model card"))))
        self.tabs.chosen.connect(self._show_tab)
        row = QHBoxLayout()
        row.addWidget(self.tabs)
        row.addStretch(1)
        self.busy = label("", "small")
        row.addWidget(self.busy)
        self.bar = QProgressBar()
        self.bar.setRange(0, 0)
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(72)
        self.bar.setAccessibleName(tr("Asking the Hub"))
        row.addWidget(self.bar)
        self.stop = IconButton("x", tr("Stop asking"), size=14)
        self.stop.clicked.connect(self._repository.stop)
        row.addWidget(self.stop)
        column.addLayout(row)
        self.parts = QStackedWidget()
        column.addWidget(self.parts, 1)
        self.parts.addWidget(self._make_files())
        self.stack.addWidget(self.page)
        self._repository.changed.connect(self.show_state)
        self._state.transfers.changed.connect(self._show_rows)
        self._state.installed_changed.connect(self._show_rows)
        self._context.settings.changed.connect(self.show_state)
        self._context.theme.changed.connect(self._theme_changed)

    def _build_head(self, column: QVBoxLayout) -> None:
        head = QHBoxLayout()
        head.setSpacing(8)
        self.title = ElidedLabel("", "heading")
        head.addWidget(self.title, 1)
        self.inspect = IconButton("file-search", tr("Look inside the model's file, before downloading it"))
        self.inspect.clicked.connect(self._inspect)
        head.addWidget(self.inspect)
        self.copy = IconButton("copy", tr("Copy the repository's name"))
        self.copy.clicked.connect(self._copy_name)
        head.addWidget(self.copy)
        self.web = IconButton("external-link", tr("Open its page in the browser"))
        self.web.clicked.connect(self._open_page)
        head.addWidget(self.web)
        column.addLayout(head)
        self.owner = ElidedLabel("", "stat")
        column.addWidget(self.owner)
        row = FlowLayout()
        self.badges = {name: label("", "badge") for name in BADGES}
        for badge in self.badges.values():
            row.addWidget(badge)
        column.addLayout(row)

    def _make_files(self) -> QWidget:
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setAccessibleName(tr("Files"))
        content = QWidget()
        content.setObjectName("content")
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 2, 6, 16)
        column.setSpacing(10)
        self.error = Notice()
        self.error.add_button(tr("Try again"), self._repository.retry, "refresh-cw")
        column.addWidget(self.error)
        self.offline = Notice("card")
        self.offline.add_button(tr("Go online"), lambda: self._context.actions["network.toggle"].trigger())
        column.addWidget(self.offline)
        self.unsupported = Notice()
        column.addWidget(self.unsupported)
        self.gated = GatedPanel()
        self.gated.token_entered.connect(self._state.hub.save_token)
        self.gated.retry_requested.connect(self._repository.retry)
        column.addWidget(self.gated)
        column.addWidget(self._make_options())
        self.list = QuantizationList()
        self.list.download_requested.connect(self._download)
        self.list.chat_requested.connect(self._chat)
        self.list.downloads_requested.connect(self.downloads_requested)
        self.list.filled.connect(self._show_rows)
        column.addWidget(self.list)
        self.note = label("", "small", wrap=True)
        column.addWidget(self.note)
        column.addStretch(1)
        scroll.setWidget(content)
        return scroll

    def _make_options(self) -> QWidget:
        self.options = QWidget()
        column = QVBoxLayout(self.options)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        lines = FlowLayout(spacing=10)
        choice = QWidget()
        row = QHBoxLayout(choice)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        name = label(tr("Context"), "stat")
        row.addWidget(name)
        self.context = QSlider(Qt.Orientation.Horizontal)
        self.context.setAccessibleName(tr("Context size that the estimate is for"))
        self.context.setFixedWidth(180)
        self.context.setPageStep(1)
        self.context.valueChanged.connect(self._context_moved)
        name.setBuddy(self.context)
        row.addWidget(self.context)
        self.context_text = label("", "stat")
        self.context_text.setMinimumWidth(86)
        row.addWidget(self.context_text)
        lines.addWidget(choice)
        lines.add_stretch()
        self.machine = label("", "small")
        lines.addWidget(self.machine)
        column.addLayout(lines)
        self.projector = QCheckBox(tr("With the projector"))
        column.addWidget(self.projector)
        return self.options

    # --- showing ---------------------------------------------------------------------------------------------
    @Slot()
    def _opened(self) -> None:
        if self.page is None:
            self._build()
        assert self.page is not None
        self.stack.setCurrentWidget(self.page)
        self.tabs.select("files")
        self.parts.setCurrentIndex(0)
        self.list.set_models(())
        self.gated.hide()
        self._show_card()
        self.projector.setChecked(False)
        self.show_state()

    @Slot()
    def show_state(self) -> None:
        repository = self._repository
        if repository.summary is None:
            return
        self._show_head()
        self._show_busy()
        self._show_options()
        self.list.set_models(repository.models)
        self.list.setVisible(bool(repository.models))
        self._show_rows()
        self._show_notices()
        self._show_card()

    def _show_head(self) -> None:
        repository = self._repository
        assert repository.summary is not None
        known = repository.details.summary if repository.details else repository.summary
        header = repository.header
        self.title.set_text(repo_title(repository.id))
        self.inspect.setVisible(header is not None)
        facts = [owner_of(repository.id)]
        if known.downloads:
            facts.append(tr("{count} downloads", count=count_text(known.downloads)))
        if known.likes:
            facts.append(tr("{count} likes", count=count_text(known.likes)))
        if known.updated:
            facts.append(tr("updated {age}", age=age_text(known.updated)))
        self.owner.set_text("  ·  ".join(facts))
        parameters = header.facts.parameters if header else known.parameters
        counted = count_text(parameters)
        set_badge(self.badges["parameters"], tr("{count} parameters", count=counted) if counted else "", "badge")
        architecture = header.facts.architecture if header else known.architecture
        supported = header.supported if header else None
        style = {True: "badgeGood", False: "badgeBad", None: "badge"}[supported]
        set_badge(self.badges["architecture"], self._architecture_text(architecture, supported), style)
        size = tokens_text(repository.context_length)
        set_badge(self.badges["context"], tr("{size} context", size=size) if size else "", "badge")
        set_badge(self.badges["license"], known.license, "badge")
        set_badge(self.badges["task"], task_text(known.task), "badge")
        open_now = known.gated and header is not None
        gated = tr("Access granted") if open_now else tr("Gated") if known.gated else ""
        set_badge(self.badges["gated"], gated, "badgeGood" if open_now else "badgeWarn")

    @staticmethod
    def _architecture_text(architecture: str, supported: bool | None) -> str:
        if not architecture or supported is None:
            return architecture
        if supported:
            return tr("{name}: supported", name=architecture)
        return tr("{name}: not supported", name=architecture)

    def _show_busy(self) -> None:
        repository = self._repository
        text = tr("Asking the Hub…") if repository.busy else ""
        if repository.reading_header:
            text = tr("Reading the model's header…")
        self.busy.setText(text)
        self.bar.setVisible(bool(text))
        self.stop.setVisible(bool(text))

    def _show_notices(self) -> None:
        repository = self._repository
        problem = repository.error or repository.header_error
        refused = repository.token_refused
        self.error.show_error(None if repository.gated or refused else problem)
        offline = self._state.hub.offline and repository.details is None
        self.offline.setVisible(False)
        if offline:
            self.offline.show_text(
                tr("You are offline"),
                tr("Files and model card come from the Hub. What is known without it stands above."),
            )
        # asking again, with a token or without, does not take the panel away from under the user
        asking = not self.gated.isHidden() and (repository.busy or repository.reading_header)
        self._show_gated(repository.gated or refused or asking)
        known = repository.details.summary if repository.details else repository.summary
        gated = repository.gated or bool(known and known.gated)
        self.gated.set_state(
            repository.access_url, has_token=repository.has_token, refused=refused and not repository.gated, gated=gated
        )
        header = repository.header
        self.unsupported.setVisible(False)
        if header is not None and header.supported is False:
            self.unsupported.show_text(
                tr("The llama.cpp of this program does not know {name}", name=header.facts.architecture),
                tr("It could be downloaded, but not be loaded. A newer version of the program may know it."),
            )

    def _show_gated(self, shown: bool) -> None:
        """Where the panel goes with the focus in it, work goes on with the files it kept back."""
        focused = QApplication.focusWidget()
        within = focused is not None and self.gated.isAncestorOf(focused)
        self.gated.setVisible(shown)
        if within and not shown:
            rows = self.list.rows
            row = next((row for row in rows if row.state.recommended), rows[0] if rows else None)
            following = row.button if row is not None and not self.list.isHidden() else self.tabs.buttons["files"]
            following.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_options(self) -> None:
        repository = self._repository
        self.options.setVisible(bool(repository.models))
        choices = repository.contexts
        with QSignalBlocker(self.context):
            self.context.setRange(0, len(choices) - 1)
            nearest = min(range(len(choices)), key=lambda at: abs(choices[at] - repository.n_ctx))
            self.context.setValue(nearest)
        self.context_text.setText(trn("{count} token", "{count} tokens", repository.n_ctx))
        machine = repository.machine
        if machine is None:
            self.machine.setText(tr("Measuring this machine…") if repository.models else "")
        else:
            free = tr("{size} RAM free", size=size_text(machine.ram_available))
            gpus = tr("{size} VRAM free", size=size_text(machine.vram_free)) if machine.gpus else tr("no GPU")
            self.machine.setText(f"{free} · {gpus}")
        projectors = repository.projectors
        self.projector.setVisible(bool(projectors))
        if projectors:
            size = size_text(projectors[0].size_bytes)
            self.projector.setText(tr("Also download the part that sees images (mmproj, {size})", size=size))
        others = len(repository.details.other_files) if repository.details else 0
        empty = repository.details is not None and not repository.models
        note = ""
        if empty:
            note = tr("There are no GGUF files in this repository, and llama.cpp runs no others.")
            note += " " + tr("Somebody may have converted the model: search for its name with GGUF.")
        if repository.models and others:
            note = trn(
                "{count} other file is not needed to run it.", "{count} other files are not needed to run it.", others
            )
        self.note.setText(note)

    @Slot()
    def _show_rows(self) -> None:
        repository = self._repository
        fits = repository.fits()
        advice = repository.recommendation(fits)
        for at, row in enumerate(self.list.rows):
            if at >= len(repository.models):
                break
            transfer = self._state.transfers.of(repository.id, row.model)
            recommended = advice is not None and advice.model == row.model
            row.set_state(
                RowState(
                    fit=fits[at] if at < len(fits) else None,
                    recommended=translated(advice.reason) if recommended and advice is not None else "",
                    installed=bool(self._installed(row.model)),
                    download_state=transfer.state if transfer is not None else "",
                    fraction=transfer.fraction if transfer is not None else 0.0,
                    allowed=not (repository.gated or repository.token_refused),
                )
            )

    def _installed(self, model: Quantization) -> str:
        """Id of the model where it is on this machine already; empty otherwise."""
        repository = self._repository
        names = {file.path.rpartition("/")[2] for file in model.files}
        sums = {file.sha256 for file in model.files if file.sha256}
        for installed in self._state.models:
            found = installed.found
            same_name = found.repo_id == repository.id and found.path.name in names
            if same_name or (found.sha256 and found.sha256 in sums):
                return installed.id
        return ""

    def _show_card(self) -> None:
        repository = self._repository
        if self._card is None:
            return
        text = repository.card
        if not text and repository.details is not None:
            text = tr("This repository has no model card.")
        elif not text and not repository.busy:  # why stands under Files
            text = tr("You are offline") if self._state.hub.offline else tr("The model card could not be read.")
        shown = self.card.items
        if (shown[0].text if shown else "") != text:
            self.card.set_items([TranscriptItem(key=repository.id, role="assistant", text=text)] if text else [])
            self.card.verticalScrollBar().setValue(0)

    # --- doing -----------------------------------------------------------------------------------------------
    @Slot(object)
    def _download(self, model: Quantization) -> None:
        with_projector = self.projector.isChecked() and self._repository.projectors
        projector = self._repository.projectors[0] if with_projector else None
        commit = self._repository.details.revision if self._repository.details else ""
        self._state.transfers.start(self._repository.id, model, projector, commit=commit)

    @Slot(object)
    def _chat(self, model: Quantization) -> None:
        model_id = self._installed(model)
        if model_id:
            self.chat_requested.emit(model_id)

    @Slot(str)
    def _show_tab(self, tab: str) -> None:
        if tab == "files":
            self.parts.setCurrentIndex(0)
        else:
            self.parts.setCurrentWidget(self.card)
            self._show_card()
            self.card.verticalScrollBar().setValue(0)

    @Slot(int)
    def _context_moved(self, position: int) -> None:
        choices = self._repository.contexts
        self._repository.set_context(choices[min(position, len(choices) - 1)])

    @Slot(str)
    def _open_link(self, link: str) -> None:
        if not open_in_browser(self, link) and not link.startswith(("http://", "https://")):
            self._context.shell.toast(tr("This link leads to no web page."))

    @Slot()
    def _open_page(self) -> None:
        access = self._state.hub.access
        if access is not None:
            open_in_browser(self, access.client.access_url(self._repository.id))

    @Slot()
    def _inspect(self) -> None:
        header = self._repository.header
        if header is None:
            return
        module = importlib.import_module("workbench.ui.models.inspector")
        where = f"{self._repository.id}/{header.name}"
        name = repo_title(self._repository.id)
        self.dialog = module.InspectDialog(self._context, name, where, lambda: header.files, self)
        self.dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.dialog.open()

    @Slot()
    def _copy_name(self) -> None:
        copy_text(self._repository.id)

    @Slot()
    def _theme_changed(self) -> None:
        if self._card is not None:
            self._card.set_tokens(self._context.theme.tokens)
            self._card.set_text_scale(self._context.theme.scale)
