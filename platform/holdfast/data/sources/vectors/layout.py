"""Which column of a file of vectors is what: what the URI says, else what the names say."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

import pyarrow as pa

from holdfast.base import ConfigError, DataError, Settings, holds_bytes, holds_lists, parse_settings
from holdfast.data.sources.table import some

_IDS = ("sample_id", "id", "ids", "_id", "key")
_VECTORS = ("vector", "embedding", "embeddings", "emb")


class VectorColumns(Settings):
    """What may stand behind the question mark of `vectors:PATH?label=species`: names of columns.

    `rows` is a table whose rows belong to those of an array of vectors alone.
    """

    id: str | None = None
    vector: str | None = None
    label: str | None = None
    group: str | None = None
    split: str | None = None
    rows: str | None = None


def read_columns(query: str, where: str) -> VectorColumns:
    """From `label=species&group=genus`. Raises DataError, naming the source as `where` does."""
    try:
        given = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    except ValueError as error:
        raise DataError(f"{where}: {query!r} is not of the form key=value&key=value.") from error
    try:
        return parse_settings(VectorColumns, given, where)
    except ConfigError as error:
        raise DataError(str(error)) from error


def arrange(fields: Mapping[str, pa.DataType], columns: VectorColumns, where: str) -> dict[str, str]:
    """`vector`, `label`, `split`, `sample_id`, `group` -> the column that is it, those that there are.

    Raises DataError, naming the source as `where` does: no such column, none of vectors, or no label.
    """
    return {
        "vector": _vector(fields, columns, where),
        **_found(fields, "sample_id", columns.id, _IDS, where),
        **{
            name: column
            for role in ("label", "split", "group")
            for name, column in _found(fields, role, getattr(columns, role), (role,), where).items()
        },
    }


def _found(
    fields: Mapping[str, pa.DataType], role: str, said: str | None, usual: tuple[str, ...], where: str
) -> dict[str, str]:
    if said is not None:
        if said not in fields:
            raise DataError(f"{where} has no column {said!r} for the {role}; it has {_list(fields)}.")
        return {role: said}
    there = next((name for name in usual if name in fields), None)
    if there is None and role == "label":
        raise DataError(
            f"{where} has no column label: say which one holds the classes, as in vectors:PATH?label=COLUMN; "
            f"it has {_list(fields)}."
        )
    return {} if there is None else {role: there}


def _vector(fields: Mapping[str, pa.DataType], columns: VectorColumns, where: str) -> str:
    name = columns.vector or next((name for name in _VECTORS if name in fields), None)
    if name is None:
        lists = [name for name, kind in fields.items() if holds_lists(kind)]
        if len(lists) != 1:
            lacks = f"several columns of vectors ({some(lists)})" if lists else "no column of vectors"
            raise DataError(
                f"{where} has {lacks}: say which one to learn from, as in vectors:PATH?vector=COLUMN; it has "
                f"{_list(fields)}."
            )
        return lists[0]
    if name not in fields:
        raise DataError(f"{where} has no column {name!r} for the vectors; it has {_list(fields)}.")
    kind = fields[name]
    if not (holds_lists(kind) or holds_bytes(kind)):
        raise DataError(
            f"Column {name} of {where} holds {kind}; vectors are lists of floats, or the bytes of float32."
        )
    return name


def _list(fields: Mapping[str, pa.DataType]) -> str:
    return some(fields, 20) or "no columns"
