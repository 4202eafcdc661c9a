"""One repository of the Hub: what is in it, how its models would run here, whether it lets us in."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from workbench.core.cancel import CancelToken
from workbench.core.errors import BadModelFile, ErrorInfo, WorkbenchError
from workbench.core.requests import LoadOptions, merged
from workbench.hub.repos import Quantization, RepoDetails, RepoFile, RepoSummary
from workbench.services.fit import Fit, Machine, Recommendation, judge, recommend, rough_shape
from workbench.services.model_shape import ModelShape
from workbench.ui.context import Context
from workbench.ui.jobs import Job
from workbench.ui.models.card import readable
from workbench.ui.models.hub import HubSlot

if TYPE_CHECKING:
    from workbench.core.gguf import GgufHeader, ModelFacts

CONTEXTS = (2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144, 1048576)
USUAL_CONTEXT = 8192
DETAILS, HEADER = "repository-details", "repository-header"


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of one of the repository's files told."""

    facts: ModelFacts
    shape: ModelShape
    supported: bool | None
    """Whether the llama.cpp that is installed knows the architecture; None: can't be told."""
    name: str
    """Of the file that was read."""
    files: tuple[GgufHeader, ...]


@dataclass(frozen=True, slots=True)
class _Answer:
    details: RepoDetails
    card: str
    has_token: bool
    access_url: str
    machine: Machine | None
    """As it is now; None where it has not been looked at before."""


class Repository(QObject):
    """The opened repository. `changed` after every step; views draw what is known."""

    opened = Signal()
    """Another repository."""
    changed = Signal()

    def __init__(self, context: Context, hub: HubSlot, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._hub = hub
        self.summary: RepoSummary | None = None
        self.details: RepoDetails | None = None
        self.header: Header | None = None
        self.card = ""
        """The model card's markdown, readable offline."""
        self.error: ErrorInfo | None = None
        """Why there are no details."""
        self.header_error: ErrorInfo | None = None
        """Why the files' header could not be read."""
        self.gated = False
        """Its files are kept from us."""
        self.has_token = False
        self.access_url = ""
        self.n_ctx = USUAL_CONTEXT
        self.reading_header = False
        self._machine: Machine | None = None
        self._job: Job | None = None
        self._header_job: Job | None = None
        hub.machine_changed.connect(self.changed)
        hub.token_changed.connect(self.retry)

    @property
    def id(self) -> str:
        return self.summary.id if self.summary else ""

    @property
    def token_refused(self) -> bool:
        """The Hub does not accept the access token that is kept."""
        problem = self.error or self.header_error
        return problem is not None and problem.kind == "bad_token"

    @property
    def busy(self) -> bool:
        return self._job is not None

    @property
    def machine(self) -> Machine | None:
        """With the RAM that was free when the repository was opened; None while it is not known."""
        return self._machine or self._hub.machine

    @property
    def models(self) -> tuple[Quantization, ...]:
        return self.details.quantizations if self.details else ()

    @property
    def projectors(self) -> tuple[RepoFile, ...]:
        return self.details.projectors if self.details else ()

    @property
    def context_length(self) -> int:
        """The model's own; 0 while unknown."""
        if self.header is not None and self.header.shape.context_length:
            return self.header.shape.context_length
        known = self.details.summary if self.details else self.summary
        return (known.context_length or 0) if known else 0

    @property
    def contexts(self) -> list[int]:
        """Choices for the context, up to the model's own."""
        longest = self.context_length or 32768
        choices = [size for size in CONTEXTS if size < longest]
        return [*choices, longest]

    # --- opening ---------------------------------------------------------------------------------------------
    def open(self, summary: RepoSummary) -> None:
        """Show what is known of it and ask the Hub for the rest."""
        self.summary = summary
        self.details = self.header = None
        self.card = ""
        self.n_ctx = USUAL_CONTEXT
        self._reset()
        self.opened.emit()
        self.retry()

    @Slot()
    def retry(self) -> None:
        """Ask again: after an error, or with a token that was entered meanwhile."""
        access, summary = self._hub.access, self.summary
        if access is None or summary is None:
            return
        self._reset()
        if self._hub.offline:
            self.changed.emit()
            return
        self._hub.ask_machine()
        machine = self._hub.machine

        def work(cancel: CancelToken) -> _Answer:
            details = access.client.details(summary.id, cancel)
            now = machine.now() if machine is not None else None
            url = access.client.access_url(summary.id)
            return _Answer(details, readable(details.card), bool(access.token()), url, now)

        self._job = self._context.jobs.run_cancellable(
            work, self._set_details, self._details_failed, owner=self, key=DETAILS
        )
        self.changed.emit()

    def stop(self) -> None:
        """Give up what is asked for; what came stays."""
        jobs = [job for job in (self._job, self._header_job) if job is not None]
        self._job = self._header_job = None
        self.reading_header = False
        for job in jobs:
            job.cancel()
        if jobs:
            self.changed.emit()

    # --- judging ---------------------------------------------------------------------------------------------
    def fits(self) -> list[Fit]:
        """How each quantisation would run with the chosen context; empty while the machine is unknown."""
        machine, access = self.machine, self._hub.access
        if machine is None or access is None:
            return []
        options = merged(self._context.settings.value.engine.load, LoadOptions(n_ctx=self.n_ctx))
        return [judge(self._shape(model), machine, options, experience=access.experience) for model in self.models]

    def recommendation(self, fits: Sequence[Fit]) -> Recommendation | None:
        """None while nothing is known, and of what can't be loaded here at all."""
        useless = self.header is not None and self.header.supported is False
        useless = useless or (self.header_error is not None and self.header_error.kind == BadModelFile.kind)
        return recommend(self.models, fits) if fits and not useless else None

    def set_context(self, n_ctx: int) -> None:
        if n_ctx != self.n_ctx:
            self.n_ctx = n_ctx
            self.changed.emit()

    def _shape(self, model: Quantization) -> ModelShape:
        shape = self.header.shape if self.header else rough_shape(model.size_bytes)
        return shape.scaled(model.size_bytes, model.label)

    # --- inside ----------------------------------------------------------------------------------------------
    def _reset(self) -> None:
        self.stop()
        self.error = self.header_error = None
        self.gated = False

    def _set_details(self, answer: _Answer) -> None:
        self._job = None
        self.details, self.card = answer.details, answer.card
        self.has_token, self.access_url = answer.has_token, answer.access_url
        self._machine = answer.machine
        self._read_header()
        self.changed.emit()

    def _details_failed(self, error: ErrorInfo) -> None:
        self._job = None
        self.gated = error.kind == "gated"
        access = self._hub.access
        if self.gated and access is not None:
            self.access_url = access.client.access_url(self.id)
        self.error = error
        self.changed.emit()

    def _read_header(self) -> None:
        access, details = self._hub.access, self.details
        model = details.quickest_to_read if details is not None else None
        if access is None or details is None or model is None:
            return
        headers, revision = access.headers, details.revision
        self.reading_header = True

        def work(cancel: CancelToken) -> Header:
            return _header(model.files[0].path, headers.read_model(details.id, model, cancel, revision=revision))

        self._header_job = self._context.jobs.run_cancellable(
            work, self._set_header, self._header_failed, owner=self, key=HEADER
        )

    def _set_header(self, header: Header) -> None:
        self._header_job = None
        self.reading_header = False
        self.header = header
        self.n_ctx = min(self.n_ctx, header.shape.context_length or self.n_ctx)
        self.changed.emit()

    def _header_failed(self, error: ErrorInfo) -> None:
        self._header_job = None
        self.reading_header = False
        self.gated = error.kind == "gated"
        self.header_error = None if self.gated else error
        self.changed.emit()


def _header(name: str, headers: Sequence[GgufHeader]) -> Header:
    if not headers:
        raise WorkbenchError("The repository has no model.")
    knows = importlib.import_module("workbench.hub.remote_gguf").knows_architecture
    facts = headers[0].facts
    return Header(facts, ModelShape.of(headers), knows(facts.architecture), name, tuple(headers))
