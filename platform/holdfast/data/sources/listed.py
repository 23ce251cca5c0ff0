"""Images that a table lists: a row an image, with the path or URL of its file."""

import hashlib
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from holdfast.base import DataError
from holdfast.data.sources.files import expand, locate
from holdfast.data.sources.listing import Encoded, Listing, Survey
from holdfast.data.sources.originals import FileOriginals, Layout
from holdfast.data.sources.passed_over import PassedOver
from holdfast.data.sources.pieces import rows_of_split
from holdfast.data.sources.roles import Roles, assign_roles
from holdfast.data.sources.source import Source
from holdfast.data.sources.table import some
from holdfast.data.sources.vectors.beside import read_rows

ONLY_SPLIT = "all"
URLS = ("url", "path", "file", "image")


@dataclass(frozen=True)
class ListedFiles(Source):
    """`list:FILE`: a table (.csv, .tsv, .parquet, .arrow) with a column `url` or `path`, and one `label`; or
    a .txt of paths, a line each, whose label is the folder that the file lies in.

    A path that is no URL and not absolute begins at the folder of the list. `?url=...&label=...&group=...`
    say which columns are meant. A file is taken not to change under its name.
    """

    uri: str
    path: str
    roles: Roles

    def listing(self, split: str | None = None, columns: Collection[str] | None = None) -> Listing:
        where = f"Source {self.uri!r}"
        table = self._table(where)
        url = self.roles.url or next((name for name in URLS if name in table.column_names), None)
        if url is None or url not in table.column_names:
            raise DataError(
                f"{where} has no column {url or 'url'}; it has {some(table.column_names, 20)}. Name the one "
                "that says where the images lie, as in list:FILE?url=COLUMN."
            )
        table = table.append_column("", table.column(url).cast(pa.string()))
        empty = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(table.column(""))), 0).fill_null(True)
        passed_over = PassedOver()
        for number in np.flatnonzero(np.asarray(empty.to_numpy())):
            passed_over.add("rows without a path", f"row {number}")
        table = table.filter(pc.invert(empty))
        if not table.num_rows:
            raise DataError(f"{where} is empty: it lists no file.")
        urls = [self._absolute(text) for text in table.column("").to_pylist()]
        layout = FileOriginals.of([os.fsencode(text) for text in urls], [0] * len(urls))
        rows = assign_roles(table, self.roles, ("label",), "", ONLY_SPLIT, columns, where)
        places, notes = np.arange(rows.num_rows), passed_over.notes(where)
        if split is not None:
            rows, places, more = rows_of_split(rows, split, where)
            notes = (*notes, *more)

        def images(indices: np.ndarray) -> Iterator[Encoded]:
            for place in places[indices]:
                yield from layout.read(int(place), np.zeros(1, np.int64))

        available = dict.fromkeys(("label", "split", "sample_id", "group", *table.column_names[:-1]))
        return Listing(rows, tuple(available), images, notes, places, layout.layout)

    def originals(self, layout: Layout) -> FileOriginals:
        return FileOriginals(layout)

    def survey(self) -> Survey:
        filesystem, inside = locate(self.path)
        try:
            with filesystem.open_input_stream(inside) as stream:
                return Survey(hashlib.sha256(os.fsencode(self.path) + b"\0" + stream.read()).hexdigest())
        except OSError as error:
            raise DataError(f"Source {self.uri!r} cannot be read: {error}.") from error

    def _table(self, where: str) -> pa.Table:
        table = read_rows(self.path, where)
        if self.path.lower().endswith(".txt"):
            # A file of lines, which elsewhere are labels.
            lines = [line.strip() for line in table.column(0).to_pylist()]
            lines = [line for line in lines if not line.startswith("#")]
            labels = [line.rstrip("/").rpartition("/")[0].rpartition("/")[2] for line in lines]
            table = pa.table({"url": pa.array(lines, pa.string()), "label": pa.array(labels, pa.string())})
        return table

    def _absolute(self, text: str) -> str:
        text = expand(text.strip())
        if "://" in text or text.startswith("/"):
            return text
        folder = (
            self.path.rpartition("/")[0]
            if "://" in self.path
            else os.path.dirname(os.path.abspath(self.path))
        )
        return f"{folder}/{text}"
