"""The rows that every source gives, one an image, with the columns checked."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from holdfast.base import DataError

REQUIRED = ("image", "label", "split", "sample_id")
TEXT = ("label", "split", "sample_id", "group")


def some(names: Iterable[object], limit: int = 5) -> str:
    """The first few names, for a sentence: `a, b, c and 7 more`."""
    listed = [str(name) for name in names]
    shown = ", ".join(listed[:limit])
    return shown if len(listed) <= limit else f"{shown} and {len(listed) - limit} more"


def require_columns(names: Iterable[str], where: str) -> None:
    """Raises DataError that names what is missing and what is there."""
    there = list(names)
    missing = [name for name in REQUIRED if name not in there]
    if missing:
        raise DataError(
            f"{where} has no column {some(missing)}; it has {some(there, 20)}, "
            f"and needs {', '.join(REQUIRED)} (group may be missing)."
        )


def conform(table: pa.Table, where: str) -> pa.Table:
    """Cast the rows of a source to what the rest relies on.

    Args:
        table: at least `label`, `split` and `sample_id`; `group` may be missing (then it is null). Further
            columns of numbers, booleans and text are kept, so that expressions can use them.
        where: how a message names the source.

    Returns:
        Columns `label`, `split`, `sample_id`, `group` (text; null where there is none, NaN included), then
        the further ones.

    Raises:
        DataError: a column is of the wrong type.
    """
    columns = {}
    for name in TEXT:
        if name in table.column_names:
            columns[name] = _text(table.column(name), name, where)
        else:
            columns[name] = pa.nulls(table.num_rows, pa.string())
    for name in table.column_names:
        if name not in columns and is_plain(table.schema.field(name).type):
            column = table.column(name)
            dictionary = pa.types.is_dictionary(column.type)
            columns[name] = column.cast(column.type.value_type) if dictionary else column
    return pa.table(columns)


def require_values(rows: pa.Table, where: str) -> None:
    """Raises DataError where a row has no label, split or sample_id: null, NaN, or nothing but spaces."""
    for name in ("label", "split", "sample_id"):
        column = rows.column(name)
        for empty, what in (
            (column.is_null(), "null"),
            (pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(column)), 0), "no text"),
        ):
            count = pc.sum(empty).as_py() or 0
            if count:
                example = rows.filter(empty).column("sample_id")[0].as_py()
                named = f", as in {example!r}" if example else ""
                raise DataError(
                    f"Column {name} of {where} is empty ({what}) in {count} rows{named}. Fill it, or leave "
                    f"such rows out on purpose with where: \"{name} != ''\"."
                )


def _text(column: pa.ChunkedArray, name: str, where: str) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_null(column.type):
        return column.cast(pa.string())
    if not is_plain(column.type):
        raise DataError(f"Column {name} of {where} holds {column.type}; it must hold text.")
    if pa.types.is_floating(column.type):
        # A missing number: data frames write an absent label so.
        column = pc.if_else(pc.is_nan(column), None, column)
    return column.cast(pa.string())


def is_plain(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or (pa.types.is_dictionary(kind) and is_plain(kind.value_type))
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
