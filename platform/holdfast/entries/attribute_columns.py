"""Attributes as they come in a file: one column of JSON or of structs, columns of their own, or both."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from holdfast.base import is_null

Check = Callable[[int, object, Counter[str]], str]
"""Gets a row, its attributes, and what counts their nulls; gives the JSON text, or raises."""
Refuse = Callable[[int, str], NoReturn]


@dataclass
class Found:
    """What was met in attributes, by their keys, in rows.

    Attributes:
        nulls: values that said there is none; the entry has no such attribute.
        overruled: values of a column for which `attributes` had another one, which counts.
    """

    nulls: Counter[str] = field(default_factory=Counter)
    overruled: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class RawAttributes:
    """Of consecutive rows.

    Args:
        size: how many rows.
        whole: Arrow array of JSON texts, of structs or of maps; None where there is none.
        columns: Arrow arrays of strings, numbers, bools, or lists of them, by key.
    """

    size: int
    whole: Any
    columns: Mapping[str, Any]

    def take(self, rows: Any) -> "RawAttributes":
        """Those of some rows, an Arrow array of int64."""
        whole = None if self.whole is None else self.whole.take(rows)
        return RawAttributes(len(rows), whole, {key: each.take(rows) for key, each in self.columns.items()})

    def texts(self, check: Check, refuse: Refuse) -> tuple[list[str], Found]:
        """The JSON text of each row, and what was met on the way. `refuse` gets what is no JSON."""
        found = Found()
        if self.whole is None and not self.columns:
            return ["{}"] * self.size, found
        if not self.columns and is_text(self.whole.type):
            return self._parsed(self.whole, check, refuse, found), found
        if self.whole is None and len(self.columns) == 1:
            ((key, column),) = self.columns.items()
            if is_text(column.type):
                return self._labelled(key, column, check, found), found
        rows = self._rows(refuse)
        for key, column in self.columns.items():
            for row, value in zip(rows, column.to_pylist(), strict=True):
                if key not in row or is_null(row[key]):
                    row[key] = value
                elif not is_null(value) and row[key] != value:
                    found.overruled[key] += 1
        return [check(number, row, found.nulls) for number, row in enumerate(rows)], found

    def _rows(self, refuse: Refuse) -> list[Any]:
        if self.whole is None:
            return [{} for _ in range(self.size)]
        values = self.whole.to_pylist()
        if is_text(self.whole.type):
            values = [None if text is None else _parse(row, text, refuse) for row, text in enumerate(values)]
        rows = []
        for row, value in enumerate(values):
            if isinstance(value, list) and all(isinstance(pair, tuple) for pair in value):
                value = dict(value)  # of an Arrow map
            if not isinstance(value, dict | None):
                refuse(row, f"its attributes are no object of keys and values: {str(value)[:60]!r}.")
            rows.append(dict(value or {}))
        return rows

    def _parsed(self, column: Any, check: Check, refuse: Refuse, found: Found) -> list[str]:
        """Equal texts are parsed once: often there are few different ones."""
        encoded = column.dictionary_encode()
        codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        first: dict[int, int] = {}
        if len(encoded.dictionary) < len(codes):
            unique, rows = np.unique(codes, return_index=True)
            first = dict(zip(unique.tolist(), rows.tolist(), strict=True))
        times = np.bincount(codes[codes >= 0], minlength=len(encoded.dictionary)).tolist()
        texts = []
        for code, text in enumerate(encoded.dictionary.to_pylist()):
            row, nulls = first.get(code, code), Counter[str]()
            value = _parse(row, text, refuse)
            texts.append("{}" if value is None else check(row, value, nulls))
            for key in nulls:
                found.nulls[key] += times[code]
        # A missing one has the code -1.
        return list(map([*texts, "{}"].__getitem__, codes.tolist()))

    def _labelled(self, key: str, column: Any, check: Check, found: Found) -> list[str]:
        encoded = column.dictionary_encode()
        codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        unique, rows = np.unique(codes, return_index=True)
        row_of = dict(zip(unique.tolist(), rows.tolist(), strict=True))
        texts = [
            check(row_of.get(code, 0), {key: value}, found.nulls)
            for code, value in enumerate(encoded.dictionary.to_pylist())
        ]
        missing = int(np.count_nonzero(codes < 0))
        if missing:
            found.nulls[key] += missing
        return list(map([*texts, "{}"].__getitem__, codes.tolist()))


def is_text(kind: Any) -> bool:
    """Whether an Arrow type is one of strings."""
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def why_no_attribute(kind: Any) -> str | None:
    """Why a column of this Arrow type cannot be an attribute, None if it can."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_null(kind):
        return "all of it is null"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        member = kind.value_type
        if is_text(member) or pa.types.is_boolean(member) or pa.types.is_integer(member):
            return None
        if pa.types.is_floating(member):
            return f"{kind}: lists of fractions are taken for vectors, and come in only among `attributes`"
    if is_text(kind) or pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return None
    return f"{kind}: an attribute is a string, a number, a bool or a list of these"


def _parse(row: int, text: str, refuse: Refuse) -> Any:
    if text in ("", "{}"):
        return {}

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        parsed = dict(pairs)
        if len(parsed) < len(pairs):
            (twice, _), *_ = Counter(key for key, _ in pairs).most_common(1)
            refuse(row, f"its attributes have the key {twice!r} twice.")
        return parsed

    try:
        return json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError):
        refuse(row, f"its attributes are no JSON: {text[:60]!r}.")
