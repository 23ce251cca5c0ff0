"""The gallery: entries (the truth, in the database), an index (a cache of it), and search."""

from holdfast.gallery.config import IndexConfig
from holdfast.gallery.entries import Entries
from holdfast.gallery.entry import Entry, InvalidEntryError
from holdfast.gallery.filters import InvalidFilterError, parse_filter
from holdfast.gallery.index import Hit
from holdfast.gallery.lease import Lease, LeaseHeldError, LeaseLostError
from holdfast.gallery.local import LocalIndex
from holdfast.gallery.milvus_config import MilvusConfig
from holdfast.gallery.opening import AnyIndexConfig, open_index
from holdfast.gallery.search import Gallery, SearchResult, Stats
from holdfast.gallery.verify import VerifyReport
from holdfast.gallery.writer import GroupCommit

__all__ = [
    "AnyIndexConfig",
    "Gallery",
    "Entry",
    "Entries",
    "LocalIndex",
    "GroupCommit",
    "Hit",
    "IndexConfig",
    "Lease",
    "LeaseHeldError",
    "LeaseLostError",
    "MilvusConfig",
    "SearchResult",
    "Stats",
    "VerifyReport",
    "InvalidEntryError",
    "InvalidFilterError",
    "open_index",
    "parse_filter",
]
