from .change import Change, Delete, Upsert
from .entries import CHUNK, Entries
from .entry import Entry, InvalidEntryError, check_attributes, check_id, check_source
from .group_commit import GroupCommit
from .lease import RENEW_LATE, Lease, LeaseHeldError, LeaseLostError, refuse_if_held
from .replace import NewVector, Replace
from .verify import Problems, VerifyReport

__all__ = [
    "CHUNK",
    "Change",
    "Delete",
    "Entries",
    "Entry",
    "GroupCommit",
    "InvalidEntryError",
    "Lease",
    "LeaseHeldError",
    "LeaseLostError",
    "NewVector",
    "Problems",
    "RENEW_LATE",
    "Replace",
    "Upsert",
    "VerifyReport",
    "check_attributes",
    "check_id",
    "check_source",
    "refuse_if_held",
]
