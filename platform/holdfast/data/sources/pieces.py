"""The rows of several files as one table, and single columns of them, a few rows at a time."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from holdfast.base import DataError
from holdfast.data.sources.passed_over import named
from holdfast.data.sources.shards import Shard
from holdfast.data.sources.table import unknown_split


def joined(shards: list[Shard], pieces: list[pa.Table], where: str) -> pa.Table:
    """One table, with nulls where a file lacks a column that others have."""
    try:
        return pa.concat_tables(pieces, promote_options="permissive")
    except pa.ArrowException as error:
        kinds: dict[str, dict[str, str]] = {}
        for shard, piece in zip(shards, pieces, strict=True):
            for field in piece.schema:
                kinds.setdefault(field.name, {}).setdefault(str(field.type), shard.name)
        differing = [
            f"{name} ({', '.join(f'{kind} in {shard}' for kind, shard in by_kind.items())})"
            for name, by_kind in kinds.items()
            if len(by_kind) > 1
        ]
        raise DataError(
            f"The files of {where} do not fit together: their columns differ in type: {named(differing)}."
        ) from error


def lacking(shards: list[Shard], names: list[list[str]], columns: list[str], where: str) -> tuple[str, ...]:
    """What is to be said of columns that some files have and others lack."""
    return tuple(
        f"{where}: {len(without)} of {len(shards)} files have no column {column} ({named(without)}); "
        "it is empty there."
        for column in columns
        if (without := [shard.name for shard, own in zip(shards, names, strict=True) if column not in own])
        and len(without) < len(shards)
    )


def rows_of_split(rows: pa.Table, split: str, where: str) -> tuple[pa.Table, np.ndarray, tuple[str, ...]]:
    """The rows of one split, where they lie, and what is to be said of rows in none."""
    splits = rows.column("split")
    places = np.flatnonzero(pc.equal(splits, split).fill_null(False).to_numpy())
    if not len(places):
        raise unknown_split(split, [name for name in splits.unique().to_pylist() if name], where)
    notes: tuple[str, ...] = ()
    if splits.null_count:
        nameless = rows.filter(splits.is_null()).column("sample_id").to_pylist()
        notes = (f"{where}: passed over {len(nameless)} rows without a split ({named(nameless)}).",)
    return rows.take(pa.array(places)), places, notes


def batches_of(
    file: pq.ParquetFile, column: str, wanted: np.ndarray, rows: int
) -> Iterator[tuple[pa.Array, np.ndarray]]:
    """Values of a column, at most so many at once, and which of them are those of `wanted`, ascending int64
    rows of the file. Row groups without any are not read."""
    sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    starts = np.cumsum([0, *sizes])
    for number, start in enumerate(starts[:-1]):
        own = wanted[(wanted >= start) & (wanted < starts[number + 1])]
        if not len(own):
            continue
        for batch in file.iter_batches(rows, row_groups=[number], columns=[column]):
            values = batch.column(0)
            yield values, own[(own >= start) & (own < start + len(values))] - start
            start += len(values)
