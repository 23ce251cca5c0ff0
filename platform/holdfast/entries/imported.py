"""What became of the rows and the columns of an imported file."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from holdfast.entries.batch import Batch

_SHOWN = 5  # ids that came more than once


@dataclass(frozen=True)
class Imported:
    """What an import kept, and what it did not.

    Attributes:
        entries: how many entries the file has made or replaced: one for each id.
        rows: of the file.
        repeated: rows whose id came again later in the file; the last row of an id counts.
        repeated_ids: the first ids of them.
        attributes: the columns that became attributes.
        left_out: the columns that did not, and why.
        null_attributes: by key, rows in which it was null (None, NaN): these entries do not have it.
        overruled: by column, rows in which the column `attributes` had another value, which counts.
    """

    entries: int
    rows: int
    repeated: int = 0
    repeated_ids: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)
    null_attributes: dict[str, int] = field(default_factory=dict)
    overruled: dict[str, int] = field(default_factory=dict)

    def said(self) -> str:
        """The one sentence about it, without its end."""
        return f"{self.entries:,} entries imported"

    def remarks(self) -> Iterator[str]:
        """A sentence about everything that is not simply kept."""
        if self.repeated:
            shown = ", ".join(map(repr, self.repeated_ids))
            more = ", ..." if self.repeated > len(self.repeated_ids) else ""
            yield (
                f"{self.repeated:,} of {self.rows:,} rows have an id that comes again ({shown}{more}): the "
                "last row of an id counts."
            )
        if self.attributes:
            yield f"Columns that became attributes: {', '.join(self.attributes)}."
        if self.left_out:
            left = "; ".join(f"{name} ({why})" for name, why in self.left_out.items())
            yield f"Columns left out: {left}."
        if self.null_attributes:
            rows = ", ".join(f"{key} in {count:,}" for key, count in self.null_attributes.items())
            yield f"Attributes that are null in some rows, where the entries do not have them: {rows}."
        if self.overruled:
            rows = ", ".join(f"{key} in {count:,}" for key, count in self.overruled.items())
            yield f"Columns that say otherwise than attributes, which count: {rows} rows."

    def as_dict(self) -> dict[str, Any]:
        """For a program, in the words of an upsert by HTTP."""
        return {
            "upserted": self.entries,
            "rows": self.rows,
            "repeated": self.repeated,
            "repeated_ids": list(self.repeated_ids),
            "attributes": list(self.attributes),
            "left_out": self.left_out,
            "null_attributes": self.null_attributes,
            "overruled": self.overruled,
        }


class Tally:
    """Counts what goes by in the checked batches of a file."""

    def __init__(self) -> None:
        self._hashes: list[np.ndarray] = []
        self._repeated_ids: dict[str, None] = {}
        self._seen_twice: set[int] | None = None
        self._nulls: Counter[str] = Counter()
        self._overruled: Counter[str] = Counter()

    def checked(self, batch: Batch) -> None:
        """For each batch, the first time it goes by."""
        self._hashes.append(np.fromiter(map(hash, batch.ids.to_pylist()), np.int64, len(batch)))
        self._nulls.update(batch.found.nulls)
        self._overruled.update(batch.found.overruled)

    def written(self, batch: Batch) -> None:
        """For each batch, the second time: then it is known which ids come again."""
        if self._seen_twice is None:
            hashes, times = np.unique(self._all(), return_counts=True)
            self._seen_twice = set(hashes[times > 1].tolist())
        if not self._seen_twice:
            return
        for identifier in batch.ids.to_pylist():
            if len(self._repeated_ids) == _SHOWN:
                return
            if hash(identifier) in self._seen_twice:
                self._repeated_ids.setdefault(identifier)

    def report(self, attributes: tuple[str, ...], left_out: dict[str, str]) -> Imported:
        rows = self._all()
        entries = len(np.unique(rows))
        return Imported(
            entries,
            len(rows),
            len(rows) - entries,
            tuple(self._repeated_ids),
            attributes,
            left_out,
            dict(self._nulls),
            dict(self._overruled),
        )

    def _all(self) -> np.ndarray:
        return np.concatenate([np.empty(0, np.int64), *self._hashes])
