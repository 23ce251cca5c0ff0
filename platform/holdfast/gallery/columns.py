"""Attributes of the entries of an index as columns, so that a filter is a few vector operations."""

import json
from collections.abc import Iterable, Sequence

import numpy as np

from holdfast.gallery.entry import Value


class Column:
    """One attribute of n entries: numbers as float64 (NaN where there is none), the rest as codes (-1)."""

    def __init__(self, length: int) -> None:
        self._numbers = np.full(length, np.nan)
        self._codes = np.full(length, -1, np.int32)
        self._code_of: dict[tuple[type, Value], int] = {}
        self.length = length

    @property
    def numbers(self) -> np.ndarray:
        return self._numbers[: self.length]

    def one_of(self, choices: Sequence[Value]) -> np.ndarray:
        """bool (n,): which entries hold one of these values, type and all."""
        numbers = [choice for choice in choices if _is_number(choice)]
        others = [choice for choice in choices if not _is_number(choice)]
        codes = [self._code_of.get((type(choice), choice), -2) for choice in others]
        found = np.zeros(self.length, bool)
        if numbers:
            found |= _isin(self._numbers[: self.length], np.array(numbers, np.float64))
        if codes:
            found |= _isin(self._codes[: self.length], np.array(codes, np.int32))
        return found

    def set(self, slots: np.ndarray, values: Sequence[Value]) -> None:
        if all(map(_is_number, values)):
            self._numbers[slots] = np.array(values, np.float64)
            return
        for slot, value in zip(slots, values, strict=True):
            if _is_number(value):
                self._numbers[slot] = value
            else:
                key = (type(value), value)
                self._codes[slot] = self._code_of.setdefault(key, len(self._code_of))

    def clear(self, slots: np.ndarray) -> None:
        self._numbers[slots] = np.nan
        self._codes[slots] = -1

    def move(self, source: np.ndarray, target: np.ndarray) -> None:
        self._numbers[target] = self._numbers[source]
        self._codes[target] = self._codes[source]

    def resize(self, length: int) -> None:
        if length > len(self._numbers):
            capacity = max(length, len(self._numbers) * 3 // 2)
            self._numbers = _grown(self._numbers, capacity, np.nan)
            self._codes = _grown(self._codes, capacity, -1)
        elif length < self.length:
            self.clear(np.arange(length, self.length))
        self.length = length


class Columns:
    """The columns of n entries; slots count from 0."""

    def __init__(self) -> None:
        self._columns: dict[str, Column] = {}
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def get(self, key: str) -> Column | None:
        return self._columns.get(key)

    def resize(self, length: int) -> None:
        """Make room for new empty entries at the end, or drop the last ones."""
        for column in self._columns.values():
            column.resize(length)
        self._length = length

    def set(self, slots: np.ndarray, attributes: Sequence[str]) -> None:
        """Give the entries at `slots` these attributes (JSON texts) in place of what they had."""
        for column in self._columns.values():
            column.clear(slots)
        for key, (positions, values) in _by_key(attributes).items():
            if key not in self._columns:
                self._columns[key] = Column(self._length)
            self._columns[key].set(slots[positions], values)

    def move(self, source: np.ndarray, target: np.ndarray) -> None:
        """Copy entries to other slots."""
        for column in self._columns.values():
            column.move(source, target)


def _by_key(attributes: Iterable[str]) -> dict[str, tuple[list[int], list[Value]]]:
    found: dict[str, tuple[list[int], list[Value]]] = {}
    parsed: dict[str, dict[str, Value]] = {}
    for position, text in enumerate(attributes):
        values = parsed.get(text)
        if values is None:
            values = parsed[text] = json.loads(text)
        for key, value in values.items():
            positions, column = found.setdefault(key, ([], []))
            positions.append(position)
            column.append(value)
    return found


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _isin(values: np.ndarray, choices: np.ndarray) -> np.ndarray:
    return values == choices[0] if len(choices) == 1 else np.isin(values, choices)


def _grown(array: np.ndarray, capacity: int, fill: float) -> np.ndarray:
    grown = np.full(capacity, fill, array.dtype)
    grown[: len(array)] = array
    return grown
