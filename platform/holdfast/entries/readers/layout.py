"""Which column is what: what the user said, else what the names say."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from holdfast.base import DataError, holds_lists
from holdfast.entries.attribute_columns import is_text, why_no_attribute

_IDS = ("id", "sample_id", "ids", "_id", "key")
_VECTORS = ("vector", "embedding", "embeddings", "emb")
_WHOLE = "attributes"
_NAMED = re.compile(r"\{([^{}]+)\}")
_INDEX = re.compile(r"__index_level_\d+__")  # as pandas writes it


@dataclass(frozen=True)
class Layout:
    """What the user says about a place.

    Args:
        id, vector: columns; where it is not said, the place or the usual names tell.
        source: a column, or a pattern such as `/photos/{file}.jpg` with columns in braces.
        attributes: the columns that become attributes; None for all that can.
        ids: a file whose rows belong to those of a place that has vectors alone.
        row_numbers: whether the numbers of the rows, from 0, may be the ids there.
        table, query: of a database that has many.
    """

    id: str | None = None
    vector: str | None = None
    source: str | None = None
    attributes: Sequence[str] | None = None
    ids: Path | None = None
    row_numbers: bool = False
    table: str | None = None
    query: str | None = None


@dataclass(frozen=True)
class Roles:
    """What becomes of the columns of a place.

    Attributes:
        id, vector: where these are.
        source: texts and columns by turns, the first one a text; empty where nothing is said.
        attributes: columns that become attributes.
        left_out: the other columns, and why.
        whole: the column of JSON texts or structs, if there is one.
    """

    id: str
    vector: str
    source: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    whole: str | None = None

    @property
    def source_columns(self) -> tuple[str, ...]:
        return self.source[1::2]

    @property
    def read(self) -> tuple[str, ...]:
        """All columns that are needed, each once."""
        whole = () if self.whole is None else (self.whole,)
        wanted = (self.id, self.vector, *self.source_columns, *whole, *self.attributes)
        return tuple(dict.fromkeys(wanted))

    def without_vectors(self) -> tuple[str, ...]:
        return tuple(name for name in self.read if name != self.vector)


def assign_roles(
    place: str,
    fields: Mapping[str, Any],
    layout: Layout,
    key: str | None = None,
    vector: str | None = None,
    has_objects: bool = False,
) -> Roles:
    """Raises DataError for a column that is not there, or cannot be what it is to be.

    Args:
        fields: Arrow types by column.
        key, vector: where the place itself says that ids and vectors are.
        has_objects: whether an attribute may also be a key of an object.
    """
    identifier = layout.id or key or next((name for name in _IDS if name in fields), None)
    if identifier is None:
        raise DataError(
            f"{place} has no column id: say with --id which column holds the ids. It has {_list(fields)}."
        )
    _require(place, fields, identifier, "for the ids")
    chosen = layout.vector or vector or _the_vector(place, fields)
    _require(place, fields, chosen, "for the vectors")
    source = _pattern(layout.source or ("source" if "source" in fields else ""))
    for name in source[1::2]:
        _require(place, fields, name, "for the source")
    whole = _WHOLE if _is_object(fields.get(_WHOLE)) else None
    plain = (*source[1::2],) if layout.source is None or "{" not in layout.source else ()
    others = [name for name in fields if name not in (identifier, chosen, whole, *plain)]
    reasons = {name: _why_left_out(name, fields[name]) for name in others}
    for name in layout.attributes or ():
        if has_objects and name not in fields:
            continue
        _require(place, fields, name, "for an attribute")
        if reasons.get(name) is not None:
            raise DataError(f"The column {name!r} of {place} can be no attribute ({reasons[name]}).")
    taken = tuple(
        name
        for name, why in reasons.items()
        if why is None and (layout.attributes is None or name in layout.attributes)
    )
    left_out = {name: why or "not asked for" for name, why in reasons.items() if name not in taken}
    if whole is not None and layout.attributes is not None and whole not in layout.attributes:
        left_out[whole], whole = "not asked for", None
    return Roles(identifier, chosen, source, taken, left_out, whole)


def keys_of(pattern: str | None) -> tuple[str, ...]:
    """The columns that a source's pattern names."""
    return _pattern(pattern or "")[1::2]


def _the_vector(place: str, fields: Mapping[str, Any]) -> str:
    usual = next((name for name in _VECTORS if name in fields), None)
    if usual is not None:
        return usual
    found = [name for name, kind in fields.items() if holds_lists(kind)]
    if len(found) == 1:
        return found[0]
    lacks = f"several columns of vectors ({_list(found)})" if found else "no column vector"
    raise DataError(
        f"{place} has {lacks}: say with --vector which column holds the vectors. It has {_list(fields)}."
    )


def _require(place: str, fields: Mapping[str, Any], name: str, what: str) -> None:
    if name not in fields:
        raise DataError(f"{place} has no column {name!r} {what}: it has {_list(fields)}.")


def _list(names: Mapping[str, Any] | Sequence[str]) -> str:
    some = list(names)
    return ", ".join(some[:20]) + (", ..." if len(some) > 20 else "") if some else "no columns"


def _pattern(text: str) -> tuple[str, ...]:
    if not text:
        return ()
    parts = tuple(_NAMED.split(text))
    return parts if len(parts) > 1 else ("", text, "")


def _is_object(kind: Any) -> bool:
    import pyarrow as pa

    if kind is None:
        return False
    return bool(is_text(kind) or pa.types.is_struct(kind) or pa.types.is_map(kind))


def _why_left_out(name: str, kind: Any) -> str | None:
    import pyarrow as pa

    if _INDEX.fullmatch(name):
        return "the index of a data frame: name it to have it as an attribute"
    if isinstance(kind, pa.OpaqueType):
        return f"{kind.type_name}: an attribute is a string, a number, a bool or a list of these"
    return why_no_attribute(kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind)
