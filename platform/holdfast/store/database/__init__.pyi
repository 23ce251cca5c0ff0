from .counters import advance_counter, all_counters, all_nonces, lock_counter
from .engine import insert_missing, make_engine, reading, writing
from .migration import migrate
from .schema import (
    adapters,
    calibrations,
    compatibility,
    entries,
    identity,
    imports,
    keys,
    marks,
    metadata,
    runs,
    schema_history,
    traffic,
    versions,
)

__all__ = [
    "metadata",
    "adapters",
    "advance_counter",
    "all_counters",
    "all_nonces",
    "calibrations",
    "compatibility",
    "entries",
    "identity",
    "imports",
    "insert_missing",
    "keys",
    "lock_counter",
    "make_engine",
    "marks",
    "migrate",
    "reading",
    "runs",
    "schema_history",
    "traffic",
    "versions",
    "writing",
]
