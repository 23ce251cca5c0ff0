"""Where images come from: one interface, and the sources that a URI can name."""

from typing import Protocol

import pyarrow as pa

from holdfast.data.files import expand
from holdfast.data.folder import FolderSource
from holdfast.data.glyphs import GlyphSource
from holdfast.data.parquet import ParquetSource
from holdfast.errors import DataError


class Source(Protocol):
    """Labelled images as encoded bytes."""

    @property
    def uri(self) -> str: ...

    def read(self, split: str | None = None) -> pa.Table:
        """All rows, or those of one split, in the source's order.

        Returns:
            Columns `image` (large binary), `label`, `split`, `sample_id` (text), `group` (text, may be null),
            and whatever further plain columns the source has.

        Raises:
            DataError: the source is missing, empty or lacks a column, or there is no such split.
        """
        ...

    def fingerprint(self) -> str:
        """A text that changes when the content does; cheap, it does not read the images."""
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
