"""Attributes of the entries of an index as columns, so that a filter is a few vector operations."""

import json
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Self

import numpy as np

from holdfast.base import Value
from holdfast.index import Filter, OneOf, Range
from holdfast.index.local.rows import Rows
from holdfast.index.local.snapshot_files import Loading, Saving

_NUMBERS = {int, float}
_COMPARE = {"gt": np.greater, "gte": np.greater_equal, "lt": np.less, "lte": np.less_equal}


class Column:
    """One attribute of n entries: numbers as float64 (NaN where there is none), the rest as codes (-1).

    Args:
        folder: see `Rows`.
    """

    def __init__(self, length: int, folder: Path | None = None) -> None:
        self._numbers = Rows(np.float64, None, folder)
        self._codes = Rows(np.int32, None, folder)
        self._code_of: dict[Value, int] = {}  # strings and bools: no two of them are equal
        self.length = 0
        self.resize(length)

    @classmethod
    def load(cls, files: Loading, folder: Path | None) -> Self:
        column = cls(0, folder)
        column._numbers = files.rows("numbers", np.float64, None, folder)
        column._codes = files.rows("codes", np.int32, None, folder)
        column._code_of = {value: code for code, value in enumerate(files.noted("values"))}
        column.length = len(column._codes)
        return column

    def save(self, files: Saving) -> None:
        files.array("numbers", self._numbers.array)
        files.array("codes", self._codes.array)
        files.note("values", list(self._code_of))

    def mask(self, condition: OneOf | Range) -> np.ndarray:
        """bool (n,): which entries meet a condition."""
        if isinstance(condition, OneOf):
            return self._one_of(condition.choices)
        numbers = self._numbers.array
        with np.errstate(invalid="ignore"):
            return np.logical_and.reduce([_COMPARE[name](numbers, bound) for name, bound in condition.bounds])

    def _one_of(self, choices: Sequence[Value]) -> np.ndarray:
        """Those that hold one of these values, type and all."""
        numbers = [choice for choice in choices if type(choice) in _NUMBERS]
        codes = [self._code_of.get(choice, -2) for choice in choices if type(choice) not in _NUMBERS]
        found = np.zeros(self.length, bool)
        if numbers:
            found |= _isin(self._numbers.array, np.array(numbers, np.float64))
        if codes:
            found |= _isin(self._codes.array, np.array(codes, np.int32))
        return found

    def set(self, slots: np.ndarray, values: Sequence[Value]) -> None:
        kinds = set(map(type, values))
        if kinds <= _NUMBERS:
            self._numbers.array[slots] = np.array(values, np.float64)
        elif not kinds & _NUMBERS:
            for value in dict.fromkeys(values):
                self._code_of.setdefault(value, len(self._code_of))
            self._codes.array[slots] = np.array(list(map(self._code_of.__getitem__, values)), np.int32)
        else:
            numeric = np.array([type(value) in _NUMBERS for value in values])
            for part in (np.flatnonzero(numeric), np.flatnonzero(~numeric)):
                self.set(slots[part], [values[position] for position in part.tolist()])

    def clear(self, slots: np.ndarray) -> None:
        self._numbers.array[slots] = np.nan
        self._codes.array[slots] = -1

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
        matching = np.ones(self._length, bool)
        for condition in allowed.conditions:
            column = self._columns.get(condition.key)
            if column is None:
                return np.zeros(self._length, bool)
            matching &= column.mask(condition)
        return matching

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


def _isin(values: np.ndarray, choices: np.ndarray) -> np.ndarray:
    return values == choices[0] if len(choices) == 1 else np.isin(values, choices)
