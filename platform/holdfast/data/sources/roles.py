"""Which of a table's columns are the label, the group, the split and the id, where their names are free."""

from collections.abc import Collection, Sequence
from urllib.parse import parse_qsl

import pyarrow as pa

from holdfast.base import ConfigError, DataError, Settings, parse_settings
from holdfast.data.sources.table import TEXT, conform, is_plain, some


class Roles(Settings):
    """What may stand behind the question mark, as in `webdataset:PATH?label=species`: names of columns."""

    label: str | None = None
    group: str | None = None
    split: str | None = None
    id: str | None = None
    url: str | None = None


def parse_roles(uri: str, rest: str) -> tuple[str, Roles]:
    """The path, and what is said behind it; a URL may have keys of its own, which stay there.

    Raises DataError for any other key.
    """
    path, question, query = rest.rpartition("?")
    if not question or "=" not in query:
        return rest, Roles()
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True)
    except ValueError as error:
        raise DataError(f"Source {uri!r}: {query!r} is not of the form key=value&key=value.") from error
    if "://" in path:
        kept = [part for part in query.split("&") if part.partition("=")[0] not in Roles.model_fields]
        pairs = [(name, value) for name, value in pairs if name in Roles.model_fields]
        path += "?" * bool(kept) + "&".join(kept)
    try:
        return path, parse_settings(Roles, dict(pairs), f"Source {uri!r}")
    except ConfigError as error:
        raise DataError(str(error)) from error


def assign_roles(
    table: pa.Table,
    roles: Roles,
    labels: Sequence[str],
    name: str,
    only_split: str,
    columns: Collection[str] | None,
    where: str,
) -> pa.Table:
    """The rows as `conform` has them.

    Args:
        labels: the columns of which the first that there is says the label, where `roles` does not.
        name: the column that says a sample's id, where there is no other.
        only_split: the split of all rows, where there is no column of splits.
        columns: the further ones that are wanted; None for all.

    Raises DataError where a column that is named is not there, or none says the label.
    """
    there = [one for one in table.column_names if is_plain(table.schema.field(one).type)]
    label = roles.label or next((one for one in labels if one in there), None)
    if label is None:
        raise DataError(
            f"{where} says no label: name the column that has it, as in ?label=species; there are "
            f"{some(there, 20)}."
        )
    chosen = {
        "label": label,
        "split": roles.split or ("split" if "split" in there else None),
        "group": roles.group or ("group" if "group" in there else None),
        "sample_id": roles.id or ("sample_id" if "sample_id" in there else name),
    }
    missing = [one for one in chosen.values() if one is not None and one not in there]
    if missing:
        raise DataError(f"{where} has no column {some(missing)}; it has {some(there, 20)}.")
    made = {role: table.column(one) for role, one in chosen.items() if one is not None}
    if chosen["split"] is None:
        made["split"] = pa.chunked_array([pa.repeat(pa.scalar(only_split), table.num_rows)])
    for one in there:
        if one and one not in TEXT and (columns is None or one in columns):
            made[one] = table.column(one)
    return conform(pa.table(made), where)
