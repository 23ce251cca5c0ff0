"""Entries in Parquet files, read and written as columns."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from holdfast.base import DataError, require_writable, whole_file
from holdfast.entries.arrow_columns import decoded, stored, strings, vectors
from holdfast.entries.attribute_columns import RawAttributes, why_no_attribute
from holdfast.entries.batch import Batch, Row

BATCH = 10_000
_OWN = ("id", "version", "vector", "attributes", "source", "mapped_from", "mapped_by")
_INDEX = re.compile(r"__index_level_\d+__")  # as pandas writes it


def write_parquet(path: Path, chunks: Iterable[Sequence[Row]], dimension: int | None) -> int:
    """Write entries; the file appears whole or not at all. Returns how many.

    `dimension` gives the vectors a fixed size; None where versions of several dimensions mix.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    vector = pa.binary(4 * dimension) if dimension else pa.binary()
    schema = pa.schema([(name, vector if name == "vector" else pa.string()) for name in _OWN])
    options = {
        # Embeddings hardly get any smaller, and no two are alike.
        "compression": {name: "none" if name == "vector" else "zstd" for name in _OWN},
        "use_dictionary": [name for name in _OWN if name not in ("id", "vector")],
        "write_statistics": ["id", "version"],
    }
    count = 0
    require_writable(path, makes_folders=False)
    with whole_file(path) as draft, pq.ParquetWriter(draft, schema, **options) as writer:
        for chunk in chunks:
            count += len(chunk)
            columns = zip(*chunk, strict=True)
            arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
            writer.write_table(pa.table(arrays, schema=schema))
    return count


class EntryFile:
    """A Parquet file of entries, open for reading.

    Args:
        attributes: the columns that become attributes; None for all that can.

    Raises DataError for a file that cannot be read, or that lacks a column.
    """

    def __init__(self, path: Path, attributes: Sequence[str] | None = None) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.path = path
        try:
            self._file = pq.ParquetFile(path, memory_map=True)
        except FileNotFoundError as error:
            raise DataError(f"There is no file {path}.") from error
        except (OSError, pa.ArrowInvalid) as error:
            raise DataError(f"{path} is no Parquet file: {error}.") from error
        try:
            self.columns = Columns.of(path, self._file.schema_arrow, attributes)
        except DataError:
            self._file.close()
            raise

    def __len__(self) -> int:
        return int(self._file.metadata.num_rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def batches(self) -> Iterator[Batch]:
        """The rows in their order, from the first one each time. Raises DataError for wrong types."""
        import pyarrow as pa

        first = 1
        try:
            for batch in self._file.iter_batches(BATCH, columns=self.columns.read):
                # Parquet does not promise that a string is UTF-8.
                batch.validate(full=True)
                found = {name: stored(batch.column(name)) for name in self.columns.read}
                yield _batch(str(self.path), first, found, self.columns)
                first += len(batch)
        except (OSError, pa.ArrowInvalid) as error:
            raise DataError(f"{self.path} is damaged: {error}.") from error


@dataclass(frozen=True)
class Columns:
    """What becomes of the columns of a file.

    Attributes:
        identifier: which one holds the ids.
        own: those that entries have, which are there.
        attributes: those that become attributes.
        left_out: the others, and why.
    """

    identifier: str
    own: tuple[str, ...]
    attributes: tuple[str, ...]
    left_out: dict[str, str]

    @classmethod
    def of(cls, path: Path, schema: Any, wanted: Sequence[str] | None) -> Self:
        """Raises DataError for a column that is missing, comes twice, or cannot be what it is to be."""
        names = schema.names
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        if twice:
            raise DataError(f"{path} has more than one column {' and '.join(map(repr, twice))}.")
        identifier = "id" if "id" in names else "sample_id"
        missing = [name for name in (identifier, "version", "vector") if name not in names]
        if missing:
            raise DataError(
                f"{path} has no column {' and no column '.join(missing)}: entries need id (or sample_id), "
                "version (or --version for all of them) and vector; attributes (JSON), source and columns "
                f"that become attributes may be there. It has {', '.join(names)}."
            )
        own = tuple(name for name in (identifier, *_OWN[1:]) if name in names)
        others = [name for name in names if name not in own]
        reasons = {name: _why_left_out(name, schema.field(name).type) for name in others}
        for name in wanted or ():
            if name not in reasons:
                raise DataError(
                    f"{path} has no column {name!r} for an attribute: it has {', '.join(others)}."
                )
            if reasons[name] is not None:
                raise DataError(f"The column {name!r} of {path} can be no attribute ({reasons[name]}).")
        taken = tuple(name for name, why in reasons.items() if why is None and _in(name, wanted))
        left_out = {name: why or "not asked for" for name, why in reasons.items() if name not in taken}
        return cls(identifier, own, taken, left_out)

    @property
    def read(self) -> list[str]:
        return [*self.own, *self.attributes]


def _in(name: str, wanted: Sequence[str] | None) -> bool:
    return wanted is None or name in wanted


def _why_left_out(name: str, kind: Any) -> str | None:
    import pyarrow as pa

    if _INDEX.fullmatch(name):
        return "the index of a data frame: name it to have it as an attribute"
    return why_no_attribute(kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind)


def _batch(path: str, first: int, columns: dict[str, Any], layout: Columns) -> Batch:
    import pyarrow as pa

    ids = strings(path, layout.identifier, columns[layout.identifier])
    numbers, offsets = vectors(path, first, columns["vector"], ids)
    texts = {
        name: strings(path, name, columns[name]) if name in columns else pa.nulls(len(ids), pa.string())
        for name in ("version", "source", "mapped_from", "mapped_by")
    }
    whole = columns.get("attributes")
    return Batch(
        path=path,
        first=first,
        ids=ids,
        versions=texts["version"],
        numbers=numbers,
        offsets=offsets,
        attributes=RawAttributes(
            len(ids),
            None if whole is None else decoded(whole),
            {name: decoded(columns[name]) for name in layout.attributes},
        ),
        sources=texts["source"],
        mapped_from=texts["mapped_from"],
        mapped_by=texts["mapped_by"],
    )
