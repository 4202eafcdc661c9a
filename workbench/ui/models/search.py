"""One search: the bundled catalogue until the user asks the Hub, then the Hub's pages as they are scrolled to."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QObject, Signal, Slot

from workbench.core.cancel import CancelToken
from workbench.core.errors import ErrorInfo
from workbench.core.paths import bundled
from workbench.hub.repos import RepoSummary, SearchQuery
from workbench.services.fit import Fit, Machine, Verdict, judge, rough_shape
from workbench.ui.context import Context
from workbench.ui.jobs import Job
from workbench.ui.models.hub import HubSlot

if TYPE_CHECKING:
    from workbench.hub.client import SearchResults
    from workbench.services.catalogue import Catalogue

USUAL_BYTES_PER_WEIGHT = 0.6
"""Of the usual four-bit quantisation, with what is kept in higher precision."""
MOST_PAGES_A_TURN = 3
"""Pages fetched at once for rows that pass the filter of what fits here."""

Source = Literal["catalogue", "hub"]


class Search(QObject):
    changed = Signal()
    """Other rows, or another state."""
    appended = Signal(int)
    """This many rows came at the end."""

    def __init__(self, context: Context, hub: HubSlot, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._hub = hub
        self.query = SearchQuery()
        self.fits_only = False
        self.source: Source = "catalogue"
        self.rows: list[RepoSummary] = []
        self.names: dict[str, str] = {}
        """Names of the catalogue's models by repository."""
        self.as_of = ""
        """Date of the bundled catalogue."""
        self.error: ErrorInfo | None = None
        self.stopped = False
        """The user has stopped it; scrolling goes on."""
        self._all: list[RepoSummary] = []
        self._came: list[RepoSummary] = []
        """Of pages that came and are not shown yet; a later page that fails, or a stop, takes none of them away."""
        self._catalogue: Catalogue | None = None
        self._results: SearchResults | None = None
        self._job: Job | None = None
        hub.machine_changed.connect(self._filter)

    @property
    def busy(self) -> bool:
        return self._job is not None

    @property
    def has_more(self) -> bool:
        return self.source == "hub" and self._results is not None and not self._results.finished

    @property
    def machine(self) -> Machine | None:
        return self._hub.machine

    # --- searching -------------------------------------------------------------------------------------------
    def browse(self, query: SearchQuery) -> None:
        """Show the bundled catalogue's models that fit. Connects to nothing."""
        self.stop()
        self.query, self.source, self.error, self._results, self._came = query, "catalogue", None, None, []
        self.stopped = False
        if self._catalogue is None:
            self._context.jobs.run(_load_catalogue, self._set_catalogue, self._failed, owner=self, key="catalogue")
        else:
            self._set_catalogue(self._catalogue)

    def run(self, query: SearchQuery) -> None:
        """Ask the Hub; offline, the catalogue."""
        access = self._hub.access
        if self._hub.offline or access is None:
            self.browse(query)
            return
        self.stop()
        self.query, self.source, self.error = query, "hub", None
        self.stopped = False
        self._all, self._came, self.rows = [], [], []
        self._results = access.client.search(query)
        # shown as busy from the first moment: a list that is empty and idle asks for its next page by itself
        self._fetch()

    @Slot()
    def more(self) -> None:
        """The next page, if there is one and none is on its way."""
        if self.has_more and not self.busy and self.error is None:
            self.stopped = False
            self._fetch()

    def retry(self) -> None:
        if self.source == "hub" and self._results is not None and self.error is not None:
            self.error = None
            self._fetch()
        else:
            self.browse(self.query)

    @Slot()
    def stop(self) -> None:
        """Give up what is being fetched; what came stays."""
        job, self._job = self._job, None
        if job is not None:
            job.cancel()
            self.stopped = True
            self._take_over()
            self.changed.emit()

    def set_fits_only(self, fits_only: bool) -> None:
        self.fits_only = fits_only
        if fits_only:
            self._hub.ask_machine()
        self._filter()

    # --- judging ---------------------------------------------------------------------------------------------
    def fit(self, repo: RepoSummary) -> Fit | None:
        """A first guess, as the usual quantisation; None where the size or the machine is unknown."""
        machine, access = self._hub.machine, self._hub.access
        if machine is None or access is None or not repo.parameters:
            return None
        size = int(repo.parameters * USUAL_BYTES_PER_WEIGHT)
        return judge(rough_shape(size).scaled(size, "Q4_K_M"), machine, experience=access.experience)

    def verdict(self, repo: RepoSummary) -> Verdict | None:
        fit = self.fit(repo)
        return fit.verdict if fit is not None else None

    # --- inside ----------------------------------------------------------------------------------------------
    def _fetch(self) -> None:
        results = self._results
        if results is None or self.busy:
            return
        pages = MOST_PAGES_A_TURN if self.fits_only else 1
        came = self._came

        def work(cancel: CancelToken) -> None:
            for _ in range(pages):
                came.extend(results.next_page(cancel))
                if results.finished:
                    break

        def done(_result: None) -> None:
            self._job = None
            self._take_over()
            self.changed.emit()

        self._job = self._context.jobs.run_cancellable(work, done, self._failed, owner=self)
        self.changed.emit()

    def _take_over(self) -> None:
        page = self._came[:]
        del self._came[: len(page)]
        known = {repo.id for repo in self._all}
        self._all += [repo for repo in page if repo.id not in known]
        before = len(self.rows)
        self.rows = self._passing()
        self.appended.emit(len(self.rows) - before)

    def _failed(self, error: ErrorInfo) -> None:
        self._job = None
        self.error = error
        if self.source == "hub":
            self._take_over()
        self.changed.emit()

    def _set_catalogue(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self.as_of = catalogue.as_of
        self.names = {entry.repo: entry.name for entry in catalogue.models}
        if self.source != "catalogue":  # the Hub was asked meanwhile
            return
        self._all = catalogue.search(self.query)
        self._filter()

    @Slot()
    def _filter(self) -> None:
        self.rows = self._passing()
        self.changed.emit()

    def _passing(self) -> list[RepoSummary]:
        if not self.fits_only:
            return list(self._all)
        return [repo for repo in self._all if self.verdict(repo) != "no"]


def _load_catalogue() -> Catalogue:
    module = importlib.import_module("workbench.services.catalogue")
    catalogue: Catalogue = module.Catalogue.load(bundled("resources") / "catalogue.json")
    return catalogue
