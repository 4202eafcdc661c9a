"""How the next prompt is asked: the columns, their order and widths, the schedule, and whether names are hidden."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace
from PySide6.QtCore import QObject, Signal

from workbench.ui.compare import columns as sets
from workbench.ui.compare.columns import Column, ColumnSet, Schedule
from workbench.ui.context import Context
from workbench.ui.session_state import SessionState
from workbench.ui.tr import tr


class ColumnSetup(SessionState):
    """Kept with the window. What is already asked and answered is the business of `CompareState`."""

    columns_changed = Signal()
    """Columns came, went, changed places or settings."""
    options_changed = Signal()
    """Schedule, blind mode or linked scrolling."""

    def __init__(self, context: Context, remembered: ColumnSet, parent: QObject | None = None) -> None:
        super().__init__(context, parent)
        self.columns: tuple[Column, ...] = remembered.columns or sets.first_columns(
            context.settings.value.default_model
        )
        self.schedule: Schedule = remembered.schedule
        self.blind = remembered.blind
        self.linked = remembered.linked
        self.widths = remembered.widths
        self.draft = remembered.draft

    @property
    def hidden(self) -> bool:
        """Who wrote the answers is hidden: the columns can't be changed until they are judged."""
        return False

    def stop(self, key: str | None = None) -> bool:
        """Stop one column or all; False if nothing was running."""
        return False

    def column(self, key: str) -> Column | None:
        return next((column for column in self.columns if column.key == key), None)

    def set_columns(self, columns: Sequence[Column]) -> None:
        if self.hidden or tuple(columns) == self.columns:
            return
        self.columns = tuple(columns)
        self._remember()
        self.columns_changed.emit()

    def add_column(self, model_id: str = "") -> Column | None:
        """One more column, of this model or like the last one."""
        if len(self.columns) >= sets.MAX_COLUMNS or self.hidden:
            return None
        like = self.columns[-1]
        column = Column(key=sets.new_key(), model=model_id) if model_id else sets.duplicate(like)
        self.set_columns([*self.columns, column])
        return column

    def duplicate(self, key: str) -> None:
        column = self.column(key)
        if column is not None and len(self.columns) < sets.MAX_COLUMNS:
            place = self.columns.index(column) + 1
            self.set_columns([*self.columns[:place], sets.duplicate(column), *self.columns[place:]])

    def remove(self, key: str) -> None:
        column = self.column(key)
        if column is None or len(self.columns) <= sets.MIN_COLUMNS or self.hidden:
            return
        before = self.columns
        self.stop(key)
        self.set_columns([other for other in self.columns if other.key != key])
        self._context.shell.toast(tr("Column removed"), tr("Undo"), lambda: self.set_columns(before))

    def move(self, key: str, place: int) -> None:
        column = self.column(key)
        if column is not None:
            others = [other for other in self.columns if other.key != key]
            place = max(0, min(place, len(others)))
            self.set_columns([*others[:place], column, *others[place:]])

    def change(self, key: str, **changes: Any) -> None:
        """Give a column another model, label, options or number of samples."""
        self.set_columns([replace(c, **changes) if c.key == key else c for c in self.columns])

    def use_settings_of(self, key: str) -> None:
        """Give all columns this one's options and samples; models and labels stay."""
        like = self.column(key)
        if like is None or self.hidden:
            return
        before = self.columns
        self.set_columns([replace(c, options=like.options, samples=like.samples) for c in self.columns])
        if self.columns != before:
            text = tr("All columns have these settings now")
            self._context.shell.toast(text, tr("Undo"), lambda: self.set_columns(before))

    def set_options(
        self, *, schedule: Schedule | None = None, blind: bool | None = None, linked: bool | None = None
    ) -> None:
        self.schedule = self.schedule if schedule is None else schedule
        self.blind = self.blind if blind is None else blind
        self.linked = self.linked if linked is None else linked
        self._remember()
        self.options_changed.emit()

    def set_widths(self, widths: Sequence[int]) -> None:
        self.widths = tuple(widths)
        self._remember()

    def use_set(self, chosen: ColumnSet) -> None:
        """Set up the columns of a preset."""
        if chosen.columns and not self.hidden:
            self.set_options(schedule=chosen.schedule, blind=chosen.blind)
            self.set_columns([sets.duplicate(column) for column in chosen.columns])

    def save_draft(self, text: str) -> None:
        if text != self.draft:
            self.draft = text
            self._remember()

    def as_set(self) -> ColumnSet:
        return ColumnSet(columns=self.columns, schedule=self.schedule, blind=self.blind)

    # --- inside -----------------------------------------------------------------------------------------------
    def _remember(self) -> None:
        kept = replace(
            self.as_set(), linked=self.linked, widths=self.widths, session_id=self.session_id or "", draft=self.draft
        )
        self._context.state.value.compare = sets.to_plain(kept)
        self._context.state.touch()
