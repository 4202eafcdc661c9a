"""What History shows: the query, the ids that fit it in order, and the rows that came into view.

All ids are read at once (100,000 take about 0.1 s, in a worker), rows only where they are looked at. So the scroll bar
tells the truth, any place of the list is two milliseconds away, and "select all" means all.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec
from PySide6.QtCore import QObject, QTimer, Signal, Slot

from workbench.core.errors import ErrorInfo
from workbench.ui.backend import Backend
from workbench.ui.context import Context
from workbench.ui.history.query import Query
from workbench.ui.jobs import SERIAL

if TYPE_CHECKING:
    from workbench.store.history import Deletion
    from workbench.store.values import RunRow

FIRST_ROWS = 60
"""Rows that come with the ids, so that the list is never seen empty."""
CHUNK = 100
KEPT_ROWS = 4000
WATCH_MS = 1500
"""How often to look whether answers began or ended, while the place is shown."""


class Listing(msgspec.Struct, frozen=True):
    ids: list[str]
    rows: list[Any]
    total: int | None
    """Runs without any filter; None: not counted yet, and there may be more ids."""


def read_beginning(backend: Backend, query: Query) -> Listing:
    """What is seen first. Runs in a worker."""
    store = backend.store
    ids = store.run_ids(query.run_filter(), sort=query.sort, descending=query.descending, limit=FIRST_ROWS)  # type: ignore[arg-type]
    return Listing(ids, store.run_rows_of(ids), None)


def read_listing(backend: Backend, query: Query) -> Listing:
    """All of it. Runs in a worker."""
    store = backend.store
    ids = store.run_ids(query.run_filter(), sort=query.sort, descending=query.descending)  # type: ignore[arg-type]
    total = len(ids) if not query.filtered else store.count_runs()
    return Listing(ids, [], total)


class HistoryState(QObject):
    query_changed = Signal()
    listed = Signal()
    """Other ids are shown, or in another order."""
    rows_came = Signal(list)
    """Ids whose rows are known now, or changed."""
    loading_changed = Signal()
    choices_changed = Signal()
    failed = Signal(object)
    """ErrorInfo; None when all is well again."""

    def __init__(self, context: Context, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.query = Query.of(context.state.value.history.get("query", {}))
        self.ids: list[str] = []
        self.total = 0
        self.loading = True
        self.error: ErrorInfo | None = None
        self.models: list[tuple[str, int]] = []
        self.providers: list[tuple[str, int]] = []
        self._choices_wanted = True
        self._rows: OrderedDict[str, RunRow] = OrderedDict()
        self._wanted: dict[str, None] = {}
        self._asked: set[str] = set()
        self._stale: set[str] = set()
        """Rows that may have changed since they were read, by a vote for example: shown until they are read again."""
        self._active: frozenset[str] = frozenset()
        self._fetch_timer = QTimer(self)
        self._fetch_timer.setSingleShot(True)
        self._fetch_timer.timeout.connect(self._fetch)
        self._watch = QTimer(self)
        self._watch.setInterval(WATCH_MS)
        self._watch.timeout.connect(self._look)
        context.backend.when_ready(self._backend_ready)

    @property
    def backend(self) -> Backend | None:
        return self._context.backend.value

    # --- reading ---------------------------------------------------------------------------------------------
    @Slot()
    def refresh(self) -> None:
        """Read the list again."""
        backend, query = self.backend, self.query
        if backend is None:
            return
        self._set_loading(True)
        self._stale = set(self._rows)
        jobs = self._context.jobs

        def begun(listing: Listing) -> None:
            self._show_beginning(listing)
            jobs.run(lambda: read_listing(backend, query), self._show, self._fail, owner=self, key="history-list")

        jobs.run(lambda: read_beginning(backend, query), begun, self._fail, owner=self, key="history-list")

    @Slot()
    def read_choices(self) -> None:
        """The models and providers that can be filtered by. They are counted over all runs, so the list goes first."""
        self._choices_wanted = True
        backend = self.backend
        if backend is not None and not self.loading:
            self._choices_wanted = False
            self._context.jobs.run(
                lambda: (backend.store.run_models(), backend.store.run_providers()),
                self._show_choices,
                owner=self,
                key="history-choices",
            )

    def row(self, id_: str) -> RunRow | None:
        """None while it is being read; `rows_came` tells when it is there."""
        row = self._rows.get(id_)
        if (row is None or id_ in self._stale) and id_ not in self._asked:
            self._wanted[id_] = None
            if not self._fetch_timer.isActive():
                self._fetch_timer.start(0)
        return row

    def known(self, id_: str) -> RunRow | None:
        """As `row`, without asking for it."""
        return self._rows.get(id_)

    def watch(self, shown: bool) -> None:
        """Look for answers that begin and end, while the place is shown."""
        if shown:
            self._watch.start()
        else:
            self._watch.stop()

    # --- asking for something else ---------------------------------------------------------------------------
    def set_query(self, query: Query) -> None:
        if query != self.query:
            self.query = query
            self._context.state.value.history = {**self._context.state.value.history, "query": query.remembered()}
            self._context.state.touch()
            self.query_changed.emit()
            self.refresh()

    def change(self, **changes: Any) -> None:
        self.set_query(msgspec.structs.replace(self.query, **changes))

    # --- changing --------------------------------------------------------------------------------------------
    def delete(self, ids: list[str], done: Any) -> None:
        """Hide these runs; `done` gets the deletion, for undo."""
        backend = self.backend
        if backend is None:
            return
        wanted = set(ids)
        for run in backend.runner.active():
            if run.id in wanted:
                run.cancel()

        def deleted(deletion: Deletion) -> None:
            self.refresh()
            done(deletion)

        self._context.jobs.run(
            lambda: backend.store.delete_runs(ids), deleted, self.failed.emit, owner=self, lane=SERIAL
        )

    def restore(self, deletion: Deletion) -> None:
        backend = self.backend
        if backend is not None:
            self._context.jobs.run(
                lambda: backend.store.restore_runs(deletion),
                lambda _done: self.refresh(),
                self.failed.emit,
                owner=self,
                lane=SERIAL,
            )

    def rate(self, run_id: str, rating: int | None) -> None:
        """-1 bad, 1 good, None takes the rating away."""
        backend = self.backend
        if backend is None:
            return

        def work() -> list[RunRow]:
            if rating is None:
                backend.store.unrate(run_id)
            else:
                backend.store.rate(_rating(run_id, rating))
            return backend.store.run_rows_of([run_id])

        self._context.jobs.run(work, self._took_rows, self.failed.emit, owner=self, lane=SERIAL)

    def reveal(self, run_id: str) -> None:
        """Tell who wrote the answers of this run's blind comparison, without a vote."""
        backend = self.backend
        if backend is None:
            return

        def work() -> list[RunRow]:
            rows = backend.store.run_rows_of([run_id])
            if rows and rows[0].session_id:
                backend.comparisons.reveal(rows[0].session_id)
            return backend.store.run_rows_of([run_id])

        def done(rows: list[RunRow]) -> None:
            self._took_rows(rows)
            self.refresh()

        self._context.jobs.run(work, done, self.failed.emit, owner=self, lane=SERIAL)

    # --- inside ----------------------------------------------------------------------------------------------
    @Slot()
    def _backend_ready(self) -> None:
        self.refresh()
        self.read_choices()

    def _show_beginning(self, listing: Listing) -> None:
        """Where the list begins otherwise than what is shown, show that at once; else wait for the whole."""
        for id_ in [id_ for id_, row in self._rows.items() if row.status == "running"]:
            del self._rows[id_]
        for row in listing.rows:
            self._keep(row)
        if self.ids[: len(listing.ids)] == listing.ids:
            self.rows_came.emit(listing.ids)
        else:
            self.ids = listing.ids
            self.listed.emit()

    def _show(self, listing: Listing) -> None:
        recovered, self.error = self.error is not None, None
        changed = self.ids != listing.ids
        self.ids, self.total = listing.ids, listing.total or 0
        self._asked.clear()
        self._set_loading(False)
        if recovered:
            self.failed.emit(None)
        if changed:
            self.listed.emit()
        elif self._stale:
            self.rows_came.emit(list(self._stale))  # those in view are painted, and so read, again
        self.loading_changed.emit()
        if self._choices_wanted:
            self.read_choices()

    def _fail(self, error: ErrorInfo) -> None:
        self.error = error
        self._set_loading(False)
        self.failed.emit(error)

    def _show_choices(self, choices: tuple[list[tuple[str, int]], list[tuple[str, int]]]) -> None:
        self.models, self.providers = choices
        self.choices_changed.emit()

    def _set_loading(self, loading: bool) -> None:
        if loading != self.loading:
            self.loading = loading
            self.loading_changed.emit()

    @Slot()
    def _fetch(self) -> None:
        backend = self.backend
        wanted, self._wanted = list(self._wanted)[-CHUNK * 3 :], {}
        if backend is None or not wanted:
            return
        self._asked.update(wanted)
        self._context.jobs.run(lambda: backend.store.run_rows_of(wanted), self._took_rows, self._fail, owner=self)

    def _took_rows(self, rows: Iterable[RunRow]) -> None:
        came = list(rows)
        for row in came:
            self._keep(row)
            self._asked.discard(row.id)
        self.rows_came.emit([row.id for row in came])

    def _keep(self, row: RunRow) -> None:
        self._rows[row.id] = row
        self._stale.discard(row.id)
        self._rows.move_to_end(row.id)
        while len(self._rows) > KEPT_ROWS:
            self._rows.popitem(last=False)

    @Slot()
    def _look(self) -> None:
        backend = self.backend
        if backend is None:
            return
        active = frozenset(run.id for run in backend.runner.active() if run.logged)
        if active != self._active:
            self._active = active
            self.refresh()
            self.read_choices()


def _rating(run_id: str, rating: int) -> Any:
    from workbench.store import Rating  # noqa: PLC0415  (the store's modules come with the services)

    return Rating(run_id=run_id, rating=rating)
