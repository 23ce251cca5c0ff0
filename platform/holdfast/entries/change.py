"""A change of the gallery, from whoever asks for it to the database."""

from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.entries.batch import Row
from holdfast.entries.entry import Entry
from holdfast.entries.listing import Matching
from holdfast.entries.replace import Replace


@dataclass(frozen=True)
class Upsert:
    """Entries that take the place of those of the same ids; all or none."""

    entries: Sequence[Entry]


@dataclass(frozen=True)
class Delete:
    """Ids whose entries are to go; one that is not there is no error."""

    ids: Sequence[str]


@dataclass(frozen=True)
class DeleteMatching:
    """Those of these ids whose entries still match when they are deleted."""

    ids: Sequence[str]
    wanted: Matching


Change = Upsert | Delete | DeleteMatching | Replace


@dataclass(frozen=True)
class Rows:
    """The entries of an upsert, checked and as the database takes them."""

    rows: Sequence[Row]


Checked = Rows | Delete | DeleteMatching | Replace
"""A change that the database will take; see `Entries.check`."""


def size_of(change: Checked) -> int:
    """How many entries it touches at most."""
    return len(change.ids) if isinstance(change, Delete | DeleteMatching) else len(change.rows)
