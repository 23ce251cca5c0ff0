"""The encoded images of a source as they lie, to be read in any order of pieces, by any process."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Protocol
from urllib.parse import unquote

import numpy as np
from pyarrow import fs

from holdfast.data.sources.files import locate
from holdfast.data.sources.listing import Encoded

_BUCKETS = ("s3", "gs", "gcs")
Layout = Mapping[str, np.ndarray]
"""Where images lie, as plain arrays of numbers or bytes, which are kept, mapped and sent to other machines.

`starts`, int64 (p + 1,), is in each: at which row of the source its pieces begin. `bytes`, int64 (p,), too:
how large a piece is.
"""


class Originals(Protocol):
    """All images of a source, by pieces. What lies in one is cheap to read in its order alone.

    Can be pickled, and read from by many threads.
    """

    @property
    def layout(self) -> Layout:
        """Where they lie."""
        ...

    def read(self, piece: int, rows: np.ndarray) -> Iterator[Encoded]:
        """The images at ascending rows, int64, of a piece, counted from its first one.

        Raises DataError for a piece that is damaged or gone.
        """
        ...


@dataclass(frozen=True, eq=False)
class FileOriginals:
    """An image a file, each a piece: `layout` has `paths`, bytes (n,), of this machine or URLs."""

    layout: Layout

    @classmethod
    def of(cls, paths: list[bytes], sizes: list[int]) -> "FileOriginals":
        """Paths, and their sizes in bytes; 0 where it is not known."""
        return cls(
            {
                "starts": np.arange(len(paths) + 1),
                "bytes": np.array(sizes, np.int64),
                "paths": np.array(paths, np.bytes_),
            }
        )

    def read(self, piece: int, rows: np.ndarray) -> Iterator[Encoded]:
        for row in rows + piece:
            path = bytes(self.layout["paths"][row])
            yield Encoded(int(self.layout["bytes"][row]), partial(self._load, path))

    def _load(self, path: bytes) -> bytes:
        if b"://" not in path:
            with open(path, "rb") as file:
                return file.read()
        filesystem, inside = self._locate(os.fsdecode(path))
        with filesystem.open_input_stream(inside) as stream:
            return bytes(stream.read())

    def _locate(self, url: str) -> tuple[fs.FileSystem, str]:
        scheme, _, rest = url.partition("://")
        key, _, options = rest.partition("?")
        if scheme not in _BUCKETS:
            return locate(url)
        # Opened once for each bucket: to open one may ask the other side where it is.
        bucket = (scheme, key.partition("/")[0], options)
        if bucket not in self._filesystems:
            self._filesystems[bucket] = locate(url)[0]
        return self._filesystems[bucket], unquote(key)

    @cached_property
    def _filesystems(self) -> dict[tuple[str, str, str], fs.FileSystem]:
        return {}

    def __getstate__(self) -> dict[str, Layout]:
        return {"layout": self.layout}
