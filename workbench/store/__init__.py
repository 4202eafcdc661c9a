"""Sessions, messages, runs and all that is kept, in one SQLite file the user owns."""

from workbench.store.errors import DamagedDatabase, DiskFull, LockedDatabase, ReadOnlyDatabase
from workbench.store.evaluations import (
    ASKED,
    EvaluationRow,
    ResultLine,
    ResultRow,
)
from workbench.store.ids import new_id, now
from workbench.store.records import with_answer
from workbench.store.store import Store
from workbench.store.test_sets import PromptTemplateRow, TestCaseRow, TestSetRow, case_row_id
from workbench.store.values import (
    HIT_END,
    HIT_START,
    Comparison,
    LedgerEntry,
    ModelRow,
    Preset,
    Rating,
    RunFilter,
    RunRow,
    RunSort,
    SearchHit,
    Session,
    SessionKind,
    Sizes,
    StoredMessage,
    Vote,
)

__all__ = [
    "ASKED",
    "HIT_END",
    "HIT_START",
    "Comparison",
    "DamagedDatabase",
    "DiskFull",
    "EvaluationRow",
    "LedgerEntry",
    "LockedDatabase",
    "ModelRow",
    "Preset",
    "PromptTemplateRow",
    "Rating",
    "ReadOnlyDatabase",
    "ResultLine",
    "ResultRow",
    "RunFilter",
    "RunRow",
    "RunSort",
    "SearchHit",
    "Session",
    "SessionKind",
    "Sizes",
    "Store",
    "StoredMessage",
    "TestCaseRow",
    "TestSetRow",
    "Vote",
    "case_row_id",
    "new_id",
    "now",
    "with_answer",
]
