"""What every source gives: rows alone, and their images or vectors when they are asked for."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from holdfast.data.sources.table import require_values


class Encoded(NamedTuple):
    """An encoded image that is read when it is needed: `load`, from any thread, gives None where the row has
    none, and raises OSError where it cannot be read. `size` in bytes, for whoever shares out memory."""

    size: int
    load: Callable[[], bytes | None]


class Survey(NamedTuple):
    """`fingerprint` changes when the content does; `notes` are sentences for the user about what was passed
    over."""

    fingerprint: str
    notes: tuple[str, ...] = ()


class Block(NamedTuple):
    """Vectors, float32 (b, d), and what is wrong with those that are none: row -> what follows a count, as in
    "2 of another dimension"."""

    vectors: np.ndarray
    faults: Mapping[int, str] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Listing:
    """The rows of a source of images, or of one of its splits, in the source's order.

    Attributes:
        rows: `label`, `split`, `sample_id`, `group` (text), then the further columns that were asked for.
        available: the names of all columns that there are, asked for or not.
        images: the images of rows at int64 (m,) ascending indices, in their order.
        notes: sentences for the user about what was passed over.
        places: int64 (n,), which row of the whole source each one is; None: of all its rows.
        layout: where all images of the source lie (`holdfast.data.sources.originals`), for what reads them
            by pieces; None of a source that is read in its order alone.
    """

    rows: pa.Table
    available: tuple[str, ...]
    images: Callable[[np.ndarray], Iterator[Encoded]]
    notes: tuple[str, ...] = ()
    places: np.ndarray | None = None
    layout: Mapping[str, np.ndarray] | None = None

    def __len__(self) -> int:
        return int(self.rows.num_rows)

    def read(self, where: str) -> pa.Table:
        """All at once, with the images as the first column `image` (large binary).

        Raises DataError, naming the source as `where` does, for a row that lacks what it must have.
        """
        require_values(self.rows, where)
        images = [encoded.load() for encoded in self.images(np.arange(len(self)))]
        return self.rows.add_column(0, "image", pa.array(images, pa.large_binary()))


@dataclass(frozen=True, eq=False)
class VectorListing:
    """The rows of a source of vectors, or of one of its splits, in the source's order.

    Attributes:
        rows, available, notes: as those of a `Listing`. A label or a sample_id may be missing.
        dimension: of the vectors.
        vectors: those of rows at int64 (m,) ascending indices, in their order, some thousand at a time.
    """

    rows: pa.Table
    available: tuple[str, ...]
    dimension: int
    vectors: Callable[[np.ndarray], Iterator[Block]]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return int(self.rows.num_rows)
