"""The table that every source gives: one row an image, with the columns checked."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from holdfast.errors import DataError

REQUIRED = ("image", "label", "split", "sample_id")
TEXT = ("label", "split", "sample_id", "group")


def some(names: Iterable[object], limit: int = 5) -> str:
    """The first few names, for a sentence: `a, b, c and 7 more`."""
    listed = [str(name) for name in names]
    shown = ", ".join(listed[:limit])
    return shown if len(listed) <= limit else f"{shown} and {len(listed) - limit} more"


def conform(table: pa.Table, where: str) -> pa.Table:
    """Check and cast a table to the columns that the rest relies on.

    Args:
        table: at least `image`, `label`, `split` and `sample_id`; `group` may be missing (then it is null).
            Further columns of numbers, booleans and text are kept, so that expressions can use them.
        where: how a message names the source.

    Returns:
        Columns `image` (large binary), `label`, `split`, `sample_id`, `group` (text), then the further ones.

    Raises:
        DataError: a column is missing or of the wrong type, or a label, split or sample_id is null.
    """
    missing = [name for name in REQUIRED if name not in table.column_names]
    if missing:
        raise DataError(
            f"{where} has no column {some(missing)}; it has {some(table.column_names, 20)}, "
            f"and needs {', '.join(REQUIRED)} (group may be missing)."
        )
    image = table.column("image")
    if not (pa.types.is_binary(image.type) or pa.types.is_large_binary(image.type)):
        raise DataError(
            f"Column image of {where} holds {image.type}; it must hold PNG or JPEG bytes (binary)."
        )
    columns = {"image": image.cast(pa.large_binary())}
    for name in TEXT:
        if name in table.column_names:
            columns[name] = _text(table.column(name), name, where)
        else:
            columns[name] = pa.nulls(table.num_rows, pa.string())
    for name in table.column_names:
        if name not in columns and _plain(table.schema.field(name).type):
            columns[name] = table.column(name)
    return pa.table(columns)


def _text(column: pa.ChunkedArray, name: str, where: str) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not _plain(column.type):
        raise DataError(f"Column {name} of {where} holds {column.type}; it must hold text.")
    if name in REQUIRED and column.null_count:
        raise DataError(f"Column {name} of {where} is empty (null) in {column.null_count} rows.")
    return column.cast(pa.string())


def _plain(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
    )


def of_split(table: pa.Table, split: str | None, where: str) -> pa.Table:
    """The rows of one split, in order. Raises DataError that names the splits there are."""
    if split is None:
        return table
    chosen = table.filter(pc.equal(table.column("split"), split))
    if chosen.num_rows == 0:
        raise unknown_split(split, table.column("split").unique().to_pylist(), where)
    return chosen


def unknown_split(split: str, splits: Iterable[str], where: str) -> DataError:
    known = some(sorted(splits), 20) or "none"
    return DataError(f"{where} has no split {split!r}; it has: {known}.")
