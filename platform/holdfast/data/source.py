"""Where images come from: one interface, and the sources that a URI can name."""

from collections.abc import Collection
from typing import Protocol

import pyarrow as pa

from holdfast.base import DataError
from holdfast.data.files import expand
from holdfast.data.folder import FolderSource
from holdfast.data.glyphs import GlyphSource
from holdfast.data.listing import Listing, Survey
from holdfast.data.parquet import ParquetSource


class Source(Protocol):
    """Labelled images as encoded bytes."""

    @property
    def uri(self) -> str: ...

    def listing(self, split: str | None = None, columns: Collection[str] | None = None) -> Listing:
        """All rows, or those of one split, in the source's order, without the images.

        Args:
            columns: which further plain columns the rows shall have, where there are such; None for all.

        Raises:
            DataError: the source is missing, empty or lacks a column, or there is no such split.
        """
        ...

    def read(self, split: str | None = None) -> pa.Table:
        """All at once: column `image` (large binary), then those of `listing`.

        Raises DataError as `listing` does, and where a row has no label, split or sample_id.
        """
        ...

    def survey(self) -> Survey:
        """What the content is and what of it is passed over; cheap, it does not read the images."""
        ...

    def fingerprint(self) -> str:
        """That of the survey."""
        ...


def open_source(uri: str) -> Source:
    """Open `glyphs:`, `glyphs:?classes=60`, `parquet:PATH_OR_URL` or `folder:PATH`.

    `~` and environment variables are expanded; `$HOLDFAST_DATA` has the default `../shared/data`.

    Raises:
        DataError: the URI names no known kind of source, or its parameters are wrong.
    """
    kind, _, rest = uri.partition(":")
    match kind:
        case "glyphs":
            return GlyphSource.parse(rest)
        case "parquet":
            return ParquetSource(uri, expand(rest))
        case "folder":
            return FolderSource(uri, expand(rest))
    raise DataError(
        f"Unknown source {uri!r}; allowed are glyphs:, glyphs:?classes=60, parquet:PATH_OR_URL, folder:PATH."
    )
