from .change import Change, Delete, DeleteMatching, Upsert
from .entries import CHUNK, DELETED, Entries, Page
from .entry import Entry, InvalidEntryError, check_attributes, check_id, check_source
from .foreign_counts import ForeignImport
from .group_commit import GroupCommit
from .imported import Imported
from .importing import dimension_of, import_from
from .labelled import write_labelled
from .lease import RENEW_LATE, Lease, LeaseHeldError, LeaseLostError, refuse_if_held
from .listing import ALL, Matching
from .readers import Layout, open_reader
from .replace import NewVector, Replace
from .verify import Problems, VerifyReport
from .writers import Target, Writer, open_writer

__all__ = [
    "ALL",
    "CHUNK",
    "Change",
    "DELETED",
    "Delete",
    "DeleteMatching",
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
    "Matching",
    "NewVector",
    "Page",
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
