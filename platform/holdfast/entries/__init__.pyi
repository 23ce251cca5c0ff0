from .change import Change, Delete, Upsert
from .entries import CHUNK, Entries
from .entry import Entry, InvalidEntryError, check_attributes, check_id, check_source
from .foreign_counts import ForeignImport
from .group_commit import GroupCommit
from .imported import Imported
from .importing import dimension_of, import_from
from .labelled import write_labelled
from .lease import RENEW_LATE, Lease, LeaseHeldError, LeaseLostError, refuse_if_held
from .readers import Layout, open_reader
from .replace import NewVector, Replace
from .verify import Problems, VerifyReport
from .writers import Target, Writer, open_writer

__all__ = [
    "CHUNK",
    "Change",
    "Delete",
    "Entries",
    "Entry",
    "ForeignImport",
    "GroupCommit",
    "Imported",
    "InvalidEntryError",
    "Layout",
    "Lease",
    "LeaseHeldError",
    "LeaseLostError",
    "NewVector",
    "Problems",
    "RENEW_LATE",
    "Replace",
    "Target",
    "Upsert",
    "VerifyReport",
    "Writer",
    "check_attributes",
    "check_id",
    "check_source",
    "dimension_of",
    "import_from",
    "open_reader",
    "open_writer",
    "refuse_if_held",
    "write_labelled",
]
