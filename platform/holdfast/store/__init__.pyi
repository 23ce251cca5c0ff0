from .adapters import RegisteredAdapter, find_adapter
from .artifacts import Artifacts, sync
from .backfill_rules import MAX_BATCH, MAX_PACE, MAX_WORKERS, MIN_PACE
from .backfills import CLAIM_SECONDS, Backfill, Claim, count_batch, origin, still_holds, still_old
from .calibrations import MeasuredCalibration
from .changes import Changes
from .compatibility import METRIC, Compatibility, incompatibility
from .counters import advance_counter, current_counter, lock_counter
from .database import (
    DatabaseClock,
    abandon_after,
    as_parameter,
    insert_missing,
    reading,
    replace_rows,
    writing,
)
from .history import NO_MARK, SNAPSHOT, Mark, has_mark, leave_mark, mark_of, newest_mark
from .keys import Role
from .places import VARIABLE, pin_down, sqlite_file
from .runs import Run
from .schema import entries, leases, metadata, versions
from .store import Store, open_store
from .traffic import KEEP, Traffic
from .versions import DISTILLED_FROM, Draft, Version

__all__ = [
    "Artifacts",
    "Backfill",
    "CLAIM_SECONDS",
    "Changes",
    "Claim",
    "Compatibility",
    "DISTILLED_FROM",
    "DatabaseClock",
    "Draft",
    "KEEP",
    "MAX_BATCH",
    "MAX_PACE",
    "MAX_WORKERS",
    "METRIC",
    "MIN_PACE",
    "Mark",
    "MeasuredCalibration",
    "NO_MARK",
    "RegisteredAdapter",
    "Role",
    "Run",
    "SNAPSHOT",
    "Store",
    "Traffic",
    "VARIABLE",
    "Version",
    "abandon_after",
    "advance_counter",
    "as_parameter",
    "count_batch",
    "current_counter",
    "entries",
    "find_adapter",
    "has_mark",
    "incompatibility",
    "insert_missing",
    "leases",
    "leave_mark",
    "lock_counter",
    "mark_of",
    "metadata",
    "newest_mark",
    "open_store",
    "origin",
    "pin_down",
    "reading",
    "replace_rows",
    "sqlite_file",
    "still_holds",
    "still_old",
    "sync",
    "versions",
    "writing",
]
