"""The truth: versions and their lineage, measured compatibility, traffic, runs, keys; and the artifacts."""

from holdfast.store.adapters import RegisteredAdapter
from holdfast.store.backfills import Backfill
from holdfast.store.calibrations import MeasuredCalibration
from holdfast.store.compatibility import Compatibility
from holdfast.store.keys import Role
from holdfast.store.runs import Run
from holdfast.store.store import Store, open_store
from holdfast.store.traffic import KEEP, Traffic
from holdfast.store.versions import DISTILLED_FROM, Draft, Version

__all__ = [
    "open_store",
    "Store",
    "Version",
    "Draft",
    "DISTILLED_FROM",
    "Compatibility",
    "MeasuredCalibration",
    "RegisteredAdapter",
    "Backfill",
    "Traffic",
    "KEEP",
    "Run",
    "Role",
]
