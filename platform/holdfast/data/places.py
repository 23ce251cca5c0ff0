"""Where an image lies, as the source of an entry: so that a backfill can read it again."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from holdfast.data.folder import FolderSource
from holdfast.data.source import Source

# A path with these is read otherwise than it is written, or cannot be written as text: `$` expands.
_AS_URI = re.compile(r"[\x00-\x1f\x7f$\ud800-\udfff]")


def places_of(source: Source, sample_ids: Sequence[str]) -> list[str | None] | None:
    """Absolute paths, or `file://` URIs of odd names; None for an image that lies nowhere by itself.

    None for a source none of whose images has a place of its own: the rows of Parquet files, drawn glyphs.
    """
    if not isinstance(source, FolderSource):
        return None
    root = os.path.abspath(source.path)
    return [_place(os.path.join(root, *sample_id.split("/"))) for sample_id in sample_ids]


def _place(path: str) -> str | None:
    if not os.path.isfile(path):
        return None
    return Path(path).as_uri() if _AS_URI.search(path) else path
