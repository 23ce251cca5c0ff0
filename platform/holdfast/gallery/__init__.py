"""The gallery: entries (the truth, in the database), an exact index (a cache of it), and search."""

from holdfast.gallery.entries import Entries
from holdfast.gallery.entry import Entry, InvalidEntryError
from holdfast.gallery.filters import InvalidFilterError, parse_filter
from holdfast.gallery.lease import Lease, LeaseHeldError, LeaseLostError
from holdfast.gallery.local import LocalIndex
from holdfast.gallery.search import Gallery, Hit, SearchResult, Stats
from holdfast.gallery.verify import VerifyReport
from holdfast.gallery.writer import GroupCommit

__all__ = [
    "Gallery",
    "Entry",
    "Entries",
    "LocalIndex",
    "GroupCommit",
    "Hit",
    "Lease",
    "LeaseHeldError",
    "LeaseLostError",
    "SearchResult",
    "Stats",
    "VerifyReport",
    "InvalidEntryError",
    "InvalidFilterError",
    "parse_filter",
]
