"""Attributes of the entries of an index as columns, so that a filter is a few vector operations."""

import json
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Self

import numpy as np

from holdfast.base import Value
from holdfast.filters import And, Condition, Exists, Filter, Not, OneOf, Or, OtherThan, Range
from holdfast.index.local.rows import Rows
from holdfast.index.local.snapshot_files import Loading, Saving
from holdfast.index.local.values import NUMBERS, Values, numbers_of, one_of, other_than, within


class Column:
    """One attribute of n entries: numbers as float64 (NaN where there is none), the rest as codes (-1).

    Args:
        folder: see `Rows`.
    """

    def __init__(self, length: int, folder: Path | None = None) -> None:
        self._numbers = Rows(np.float64, None, folder)
        self._codes = Rows(np.int32, None, folder)
        self._values = Values()
        self.length = 0
        self.resize(length)

    @classmethod
    def load(cls, files: Loading, folder: Path | None) -> Self:
        column = cls(0, folder)
        column._numbers = files.rows("numbers", np.float64, None, folder)
        column._codes = files.rows("codes", np.int32, None, folder)
        column._values = Values(files.noted("values"))
        column.length = len(column._codes)
        return column

    def save(self, files: Saving) -> None:
        files.array("numbers", self._numbers.array)
        files.array("codes", self._codes.array)
        files.note("values", self._values.all())

    def mask(self, condition: Condition) -> np.ndarray:
        """bool (n,): which entries meet a condition."""
        found = self._numeric(condition)
        coded = self._values.mask(condition, self._codes.array)
        if found is None or coded is None:
            either = coded if found is None else found
            return np.zeros(self.length, bool) if either is None else either
        return found | coded

    def _numeric(self, condition: Condition) -> np.ndarray | None:
        """Which entries are numbers that meet it; None for none."""
        if isinstance(condition, Exists):
            return ~np.isnan(self._numbers.array)
        if isinstance(condition, Range):
            return within(self._numbers.array, condition.bounds)
        if isinstance(condition, OneOf):
            numbers = numbers_of(condition.choices)
            if len(numbers):
                return one_of(self._numbers.array, numbers)
        if isinstance(condition, OtherThan):
            return other_than(self._numbers.array, condition.choices)
        return None

    def set(self, slots: np.ndarray, values: Sequence[Value]) -> None:
        kinds = set(map(type, values))
        if kinds <= NUMBERS:
            self._numbers.array[slots] = np.array(values, np.float64)
        elif not kinds & NUMBERS:
            self._codes.array[slots] = self._values.codes(values)
        else:
            numeric = np.array([type(value) in NUMBERS for value in values])
            for part in (np.flatnonzero(numeric), np.flatnonzero(~numeric)):
                self.set(slots[part], [values[position] for position in part.tolist()])

    def clear(self, slots: np.ndarray) -> None:
        self._numbers.array[slots] = np.nan
        self._codes.array[slots] = -1

    def prepare(self, more: int) -> None:
        self._numbers.prepare(more)
        self._codes.prepare(more)

    def settle(self) -> None:
        self._numbers.settle()
        self._codes.settle()

    def move(self, source: np.ndarray, target: np.ndarray) -> None:
        self._numbers.array[target] = self._numbers.array[source]
        self._codes.array[target] = self._codes.array[source]

    def resize(self, length: int) -> None:
        self._numbers.resize(length)
        self._codes.resize(length)
        if length > self.length:
            self.clear(np.arange(self.length, length))
        self.length = length


class Columns:
    """The columns of n entries; slots count from 0."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._columns: dict[str, Column] = {}
        self._length = 0

    @classmethod
    def load(cls, files: Loading, folder: Path | None) -> Self:
        columns = cls(folder)
        columns._length = files.noted("length")
        for number, key in enumerate(files.noted("keys")):
            columns._columns[key] = Column.load(files.within(str(number)), folder)
        return columns

    def save(self, files: Saving) -> None:
        files.note("length", self._length)
        files.note("keys", list(self._columns))
        for number, column in enumerate(self._columns.values()):
            column.save(files.within(str(number)))

    def __len__(self) -> int:
        return self._length

    def mask(self, allowed: Filter) -> np.ndarray:
        """bool (n,): which of the n entries match."""
        if isinstance(allowed, And):
            return np.logical_and.reduce([self.mask(part) for part in allowed.parts])
        if isinstance(allowed, Or):
            return np.logical_or.reduce([self.mask(part) for part in allowed.parts])
        if isinstance(allowed, Not):
            return ~self.mask(allowed.part)
        column = self._columns.get(allowed.key)
        return np.zeros(self._length, bool) if column is None else column.mask(allowed)

    def prepare(self, more: int) -> None:
        """See `Rows.prepare`."""
        for column in self._columns.values():
            column.prepare(more)

    def settle(self) -> None:
        """See `Rows.settle`."""
        for column in self._columns.values():
            column.settle()

    def resize(self, length: int) -> None:
        """Make room for new empty entries at the end, or drop the last ones."""
        for column in self._columns.values():
            column.resize(length)
        self._length = length

    def set(self, slots: np.ndarray, attributes: Sequence[str]) -> None:
        """Give the entries at `slots` these attributes (JSON texts) in place of what they had."""
        for column in self._columns.values():
            column.clear(slots)
        for key, positions, values in _by_key(attributes):
            if key not in self._columns:
                self._columns[key] = Column(self._length, self._folder)
            self._columns[key].set(slots[positions], values)

    def move(self, source: np.ndarray, target: np.ndarray) -> None:
        """Copy entries to other slots."""
        for column in self._columns.values():
            column.move(source, target)


def _by_key(attributes: Sequence[str]) -> Iterator[tuple[str, list[int], list[Value]]]:
    # One call parses all the texts, which takes a third of the time of a call for each.
    rows: list[dict[str, Value]] = json.loads(f"[{','.join(attributes)}]")
    for key in dict.fromkeys(chain.from_iterable(rows)):
        positions = [position for position, row in enumerate(rows) if key in row]
        yield key, positions, [rows[position][key] for position in positions]
