from .adapters import Adapters, RegisteredAdapter, find_adapter
from .artifacts import Artifacts
from .calibrations import MeasuredCalibration
from .changes import Changes
from .compatibility import (
    METRIC,
    Compatibility,
    Incompatibility,
    Truth,
    Way,
    explain_problems,
    incompatibility,
    judge,
)
from .cuts import Cut
from .database.chunks import in_chunks
from .database.counters import advance_counter, current_counter, lock_counter
from .database.engine import (
    DatabaseClock,
    abandon_after,
    as_parameter,
    insert_missing,
    reading,
    replace_rows,
    writing,
)
from .database.matching import matching
from .database.migration import OlderSchemaError
from .database.schema import metadata
from .history import NO_MARK, SNAPSHOT, Mark, has_mark, leave_mark, mark_of, newest_mark
from .keys import ROLES, Key, Role
from .places import VARIABLE, pin_down, sqlite_file
from .runs import Run
from .store import Store, look_into, open_store
from .summary import version_summary
from .traffic import (
    FIELDS,
    Figure,
    GateError,
    Scheduled,
    Shadowed,
    ShadowFigures,
    ShadowGate,
    Step,
    Tally,
    Traffic,
    aliases,
    ramp,
)
from .versions import DISTILLED_FROM, NAME, Draft, Kind, Version, Versions, find_named, find_version

__all__ = [
    "FIELDS",
    "ramp",
    "Adapters",
    "Artifacts",
    "Changes",
    "Compatibility",
    "Cut",
    "DISTILLED_FROM",
    "DatabaseClock",
    "Draft",
    "Figure",
    "GateError",
    "Incompatibility",
    "Key",
    "Kind",
    "METRIC",
    "Mark",
    "MeasuredCalibration",
    "NAME",
    "NO_MARK",
    "OlderSchemaError",
    "ROLES",
    "RegisteredAdapter",
    "Role",
    "Run",
    "SNAPSHOT",
    "Scheduled",
    "ShadowFigures",
    "ShadowGate",
    "Shadowed",
    "Step",
    "Store",
    "Tally",
    "Traffic",
    "Truth",
    "VARIABLE",
    "Version",
    "Versions",
    "Way",
    "abandon_after",
    "advance_counter",
    "aliases",
    "as_parameter",
    "current_counter",
    "explain_problems",
    "find_adapter",
    "find_named",
    "find_version",
    "has_mark",
    "in_chunks",
    "incompatibility",
    "insert_missing",
    "judge",
    "leave_mark",
    "lock_counter",
    "look_into",
    "mark_of",
    "matching",
    "metadata",
    "newest_mark",
    "open_store",
    "pin_down",
    "reading",
    "replace_rows",
    "sqlite_file",
    "version_summary",
    "writing",
]
