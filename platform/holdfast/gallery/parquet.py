"""Entries in Parquet files."""

import json
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.errors import DataError
from holdfast.gallery.entry import Entry

BATCH = 5_000


def write_parquet(path: Path, chunks: Iterable[list[Entry]], dimension: int | None) -> int:
    """Write entries; the file appears whole or not at all. Returns how many.

    `dimension` makes the vectors a fixed-size list; None where versions of several dimensions mix.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [
            ("id", pa.string()),
            ("version", pa.string()),
            ("vector", pa.list_(pa.float32(), dimension) if dimension else pa.list_(pa.float32())),
            ("attributes", pa.string()),
            ("source", pa.string()),
        ]
    )
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    count = 0
    try:
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            for chunk in chunks:
                count += len(chunk)
                writer.write_table(_table(chunk, schema, dimension))
        temporary.replace(path)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return count


def read_parquet(path: Path) -> Iterator[list[Entry]]:
    """The entries of a file, in batches, unchecked. Raises DataError for a file that holds no entries."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except FileNotFoundError as error:
        raise DataError(f"There is no file {path}.") from error
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path} is no Parquet file: {error}.") from error
    with file:
        columns = _columns(path, file.schema_arrow.names)
        try:
            for batch in file.iter_batches(BATCH, columns=columns):
                yield _entries(path, batch)
        except (OSError, pa.ArrowInvalid) as error:
            raise DataError(f"{path} is damaged: {error}.") from error


def _columns(path: Path, names: list[str]) -> list[str]:
    identifier = "id" if "id" in names else "sample_id"
    missing = [name for name in (identifier, "version", "vector") if name not in names]
    if missing:
        raise DataError(
            f"{path} has no column {' and no column '.join(missing)}: entries need id (or sample_id), "
            "version and vector; attributes (JSON) and source may be there. "
            f"It has {', '.join(names)}."
        )
    further = ["attributes"] if "attributes" in names else ["label"]
    return [identifier, "version", "vector", *(name for name in [*further, "source"] if name in names)]


def _entries(path: Path, batch: Any) -> list[Entry]:
    columns = {name: batch.column(name) for name in batch.schema.names}
    ids = columns["id" if "id" in columns else "sample_id"].to_pylist()
    if "attributes" in columns:
        attributes = [_attributes(path, text) for text in columns["attributes"].to_pylist()]
    elif "label" in columns:
        attributes = [{} if label is None else {"label": label} for label in columns["label"].to_pylist()]
    else:
        attributes = [{} for _ in ids]
    sources = columns["source"].to_pylist() if "source" in columns else [None] * len(ids)
    vectors = _vectors(path, columns["vector"])
    rows = zip(ids, columns["version"].to_pylist(), vectors, attributes, sources, strict=True)
    return [Entry(*row) for row in rows]


def _vectors(path: Path, column: Any) -> list[np.ndarray]:
    import pyarrow as pa

    if column.null_count:
        raise DataError(f"{path} has {column.null_count} entries without a vector.")
    kind = column.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        blobs = column.to_pylist()
        if any(len(blob) % 4 for blob in blobs):
            raise DataError(f"{path} has vectors whose bytes are no float32.")
        return [np.frombuffer(blob, "<f4") for blob in blobs]
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if not lists or not pa.types.is_floating(kind.value_type):
        raise DataError(f"{path} has vectors of type {kind}: a list of floats or float32 bytes is allowed.")
    values = column.flatten()
    if values.null_count:
        raise DataError(f"{path} has vectors with missing numbers.")
    with np.errstate(over="ignore"):
        flat = values.to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    if pa.types.is_fixed_size_list(kind):
        return list(flat.reshape(len(column), kind.list_size))
    offsets = column.offsets.to_numpy()
    return np.split(flat, offsets[1:-1] - offsets[0])


def _attributes(path: Path, text: object) -> Any:
    if text is None or text == "":
        return {}
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError as error:
        raise DataError(f"{path} has attributes that are no JSON: {str(text)[:60]!r}.") from error


def _table(chunk: list[Entry], schema: Any, dimension: int | None) -> Any:
    import pyarrow as pa

    flat = pa.array(np.concatenate([entry.vector for entry in chunk]))
    if dimension:
        vectors = pa.FixedSizeListArray.from_arrays(flat, dimension)
    else:
        offsets = np.cumsum([0, *(len(entry.vector) for entry in chunk)])
        vectors = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), flat)
    return pa.table(
        [
            pa.array([entry.id for entry in chunk], pa.string()),
            pa.array([entry.version for entry in chunk], pa.string()),
            vectors,
            pa.array([json.dumps(entry.attributes, ensure_ascii=False) for entry in chunk], pa.string()),
            pa.array([entry.source for entry in chunk], pa.string()),
        ],
        schema=schema,
    )
