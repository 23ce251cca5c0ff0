"""The columns of a table of rows as arrays that a selection can name, derived columns included."""

import re
import unicodedata
from collections.abc import Collection, Mapping

import numpy as np
import pyarrow as pa

from holdfast.base import DataError
from holdfast.data.config import Column
from holdfast.data.sources import named, some, text_array


def row_columns(
    table: pa.Table, derived: Mapping[str, Column], available: Collection[str] | None = None
) -> dict[str, np.ndarray]:
    """Arrays (n,) of text (`text_array`), int64, float64 or bool, one a column of the table.

    Null text becomes the empty text, null numbers NaN. `available` are further columns that the source has.

    Raises:
        DataError: a derived column has the name of another, derives from none that there is, or its pattern
            does not match somewhere.
    """
    columns = {name: _array(table.column(name)) for name in table.column_names}
    taken = dict.fromkeys([*columns, *(available or ())])
    for name, column in derived.items():
        if name in taken:
            raise DataError(
                f"The derived column {name} has the name of another; there are {some(taken, 20)}."
            )
        if column.of not in columns:
            raise DataError(
                f"The derived column {name} derives from {column.of}; the columns are {some(taken, 20)}."
            )
        taken[name] = None
        columns[name] = _derive(name, column, columns[column.of])
    return columns


def row_notes(table: pa.Table, where: str) -> tuple[str, ...]:
    """What is to be said of rows that are used, but perhaps not as they were meant."""
    notes = []
    counts = table.column("sample_id").value_counts()
    repeated = [one["values"] for one in counts.to_pylist() if one["counts"] > 1]
    if repeated:
        notes.append(f"{where}: {len(repeated)} sample_ids name several images ({named(repeated)}).")
    alike: dict[str, list[str]] = {}
    for label in table.column("label").unique().to_pylist():
        alike.setdefault(_normal(label), []).append(label)
    doubles = [" and ".join(map(repr, labels)) for labels in alike.values() if len(labels) > 1]
    if doubles:
        notes.append(
            f"{where}: {len(doubles)} labels are written in several ways, and are several classes "
            f"({named(doubles)})."
        )
    return tuple(notes)


def _normal(label: str) -> str:
    """The same for labels that differ in spaces around them, in Unicode's form, or as 1 and 1.0 do."""
    label = unicodedata.normalize("NFC", label).strip()
    try:
        number = float(label)
    except ValueError:
        return label
    return str(number)


def _array(column: pa.ChunkedArray) -> np.ndarray:
    kind = column.type
    if pa.types.is_boolean(kind):
        return np.array(column.fill_null(False).to_pylist(), dtype=bool)
    if pa.types.is_integer(kind) and not column.null_count:
        return column.to_numpy().astype(np.int64)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return column.cast(pa.float64(), safe=False).to_numpy()
    return text_array(column.fill_null("").to_pylist())


def _derive(name: str, column: Column, values: np.ndarray) -> np.ndarray:
    pattern = re.compile(column.pattern)
    found = []
    for value in values:
        match = pattern.search(str(value))
        if match is None or match.group(1) is None:
            raise DataError(
                f"The derived column {name}: the pattern {column.pattern!r} does not match "
                f"{column.of} {str(value)!r}."
            )
        found.append(match.group(1))
    for kind in (np.int64, np.float64):
        try:
            return np.array([kind(text) for text in found], dtype=kind)
        except (ValueError, OverflowError):
            continue
    return text_array(found)
