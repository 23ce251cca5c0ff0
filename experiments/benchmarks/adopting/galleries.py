"""Image folders of a gallery and of the queries that ask it, as the protocols divide them."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from holdfast.data import open_source

Asks = Callable[[int], bool]
"""Whether the image of this place in its class, in the order of the ids, is a query."""


@dataclass(frozen=True)
class Protocol:
    """A source, the split of it that is searched, and which of its images ask."""

    source: str
    split: str | None
    asks: Asks


def every_second(place: int) -> bool:
    return place % 2 == 0


def every_fourth(place: int) -> bool:
    return place % 4 == 0


PROTOCOLS = {
    "grocery": Protocol("parquet:$HOLDFAST_DATA/grocery_160.parquet", "test", every_second),
    "caltech": Protocol("parquet:$HOLDFAST_DATA/caltech101_160.parquet", "evaluation", every_fourth),
    "glyphs": Protocol("glyphs:?classes=60&instances=12", "evaluation", every_second),
}


def write_folders(protocol: Protocol, folder: Path) -> tuple[Path, Path]:
    """The images as files below `gallery/LABEL/` and `queries/LABEL/`; what is there is left as it is."""
    gallery, queries = folder / "gallery", folder / "queries"
    if (folder / "whole").exists():
        return gallery, queries
    listing = open_source(protocol.source).listing(protocol.split, columns=())
    labels = np.array(listing.rows.column("label").to_pylist())
    ids = np.array(listing.rows.column("sample_id").to_pylist())
    asks = np.zeros(len(ids), bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        for place, row in enumerate(rows[np.argsort(ids[rows], kind="stable")]):
            asks[row] = protocol.asks(place)
    for row, image in enumerate(listing.images(np.arange(len(listing)))):
        content = image.load()
        assert content is not None
        place = (queries if asks[row] else gallery) / labels[row].replace(os.sep, "_")
        place.mkdir(parents=True, exist_ok=True)
        name = ids[row].replace(os.sep, "_")
        ending = "png" if content.startswith(b"\x89PNG") else "jpg"
        (place / f"{name}.{ending}").write_bytes(content)
    (folder / "whole").touch()
    return gallery, queries
