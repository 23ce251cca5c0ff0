"""Rows that come as objects whose keys nobody knows beforehand."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Self

from holdfast.base import is_null, valid_attribute
from holdfast.entries.readers.layout import Layout, keys_of

_USUAL = "source"


class Objects:
    """What becomes of the keys of such rows.

    Args:
        columns: keys that become columns of their own.
        wanted: the others that become attributes; None for all that can.
    """

    def __init__(self, columns: Sequence[str], wanted: Sequence[str] | None) -> None:
        self.columns = tuple(columns)
        self._wanted = wanted
        self._unseen = dict.fromkeys((*columns, *(wanted or ())))

    @classmethod
    def of(cls, layout: Layout) -> Self:
        """Of a place all of whose columns come so."""
        return cls(keys_of(layout.source or _USUAL), layout.attributes)

    @property
    def notes(self) -> tuple[str, ...]:
        """What no row had of what was asked for."""
        return tuple(f"No row has {name!r}." for name in self._unseen if name != _USUAL)

    def read(self, rows: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], Any, Counter[str]]:
        """Columns of the source, JSON texts of the attributes, and what can be none, by its key."""
        import pyarrow as pa

        left_out: Counter[str] = Counter()
        texts = [json.dumps(self._attributes(row, left_out)) for row in rows]
        columns = {
            name: pa.array([_text(row.get(name)) for row in rows], pa.string()) for name in self.columns
        }
        return columns, pa.array(texts, pa.string()), left_out

    def _attributes(self, row: Mapping[str, Any], left_out: Counter[str]) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for key, value in row.items():
            self._unseen.pop(key, None)
            if key in self.columns:
                continue
            if self._wanted is not None and key not in self._wanted:
                left_out[f"{key} (not asked for)"] += 1
            elif valid_attribute(value):
                kept[key] = value
            elif not is_null(value):
                left_out[key] += 1
        return kept


def _text(value: Any) -> str | None:
    return None if is_null(value) else str(value)
