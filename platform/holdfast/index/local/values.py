"""The distinct texts, bools and lists of one attribute, each known by a code."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from holdfast.base import Scalar, Value
from holdfast.filters import Condition, Dates, Exists, OneOf, OtherThan, Range, instant
from holdfast.index.local.rows import Rows

NUMBERS = frozenset({int, float})
_COMPARE = {"gt": np.greater, "gte": np.greater_equal, "lt": np.less, "lte": np.less_equal}
_NO_DATE = np.iinfo(np.int64).min
_LONGEST_DATE = 40
_FEW = 8


class Values:
    """Codes count from 0, and none is ever given back: a value that nobody holds any more keeps its own.

    A list is known as a whole. Its members lie one behind the other beside the code of their list, so that
    lists are asked as quickly as there are members.
    """

    def __init__(self, values: Iterable[Value] = ()) -> None:
        self._length = 0
        self._scalars: dict[Scalar, int] = {}  # strings and bools: no two of them are equal
        self._lists: dict[str, int] = {}  # by their JSON
        self._owners = Rows(np.int32)  # by member: the code of its list,
        self._codes = Rows(np.int32)  # its own code, -1 for a number,
        self._numbers = Rows(np.float64)  # and the number, NaN for none
        self._dates = np.empty(0, np.int64)  # by code; made when somebody asks for dates
        for value in values:
            self.code(value)

    def __len__(self) -> int:
        return self._length

    def all(self) -> list[Any]:
        """By code."""
        found: list[Any] = [None] * self._length
        for value, code in self._scalars.items():
            found[code] = value
        for text, code in self._lists.items():
            found[code] = json.loads(text)
        return found

    def codes(self, values: Sequence[Value]) -> np.ndarray:
        """int32 (m,): of strings, bools and lists; a new value gets a new code."""
        return np.fromiter(map(self.code, values), np.int32, len(values))

    def code(self, value: Value) -> int:
        if isinstance(value, list):
            return self._list(value)
        code = self._scalars.setdefault(value, self._length)
        self._length = max(self._length, code + 1)
        return code

    def mask(self, condition: Condition, held: np.ndarray) -> np.ndarray | None:
        """bool (n,): for which entries a condition holds, given the codes that they hold, int32 (n,), -1 for
        none; None where it holds for none of the values."""
        if isinstance(condition, Exists):
            return held >= 0
        codes = self._holding(condition)
        owners = self._owners_of(condition, codes)
        if len(codes) + len(owners) > _FEW:
            # -1 is the last place.
            return np.take(self._table(codes, owners), held, mode="wrap")
        each = [held == code for code in (*codes.tolist(), *owners.tolist())]
        return np.logical_or.reduce(each) if each else None

    def _holding(self, condition: Condition) -> np.ndarray:
        """The codes of the texts and bools for which a condition holds."""
        if isinstance(condition, Dates):
            return np.flatnonzero(within(self._instants(), condition.bounds, _NO_DATE))
        if not isinstance(condition, OneOf | OtherThan):
            return np.empty(0, np.int64)
        wanted = [self._scalars.get(each, -2) for each in condition.choices if type(each) not in NUMBERS]
        codes = np.array([code for code in wanted if code >= 0], np.int64)
        if isinstance(condition, OneOf):
            return codes
        others = np.ones(self._length, bool)
        others[codes] = others[list(self._lists.values())] = False
        return np.flatnonzero(others)

    def _owners_of(self, condition: Condition, codes: np.ndarray) -> np.ndarray:
        """The codes of the lists that have a member for which a condition holds, given the codes of those
        texts and bools for which it does."""
        if not self._lists:
            return np.empty(0, np.int32)
        members = self._table(codes)[self._codes.array]
        if isinstance(condition, OneOf):
            members |= one_of(self._numbers.array, numbers_of(condition.choices))
        elif isinstance(condition, OtherThan):
            members |= other_than(self._numbers.array, condition.choices)
        elif isinstance(condition, Range):
            members |= within(self._numbers.array, condition.bounds)
        return self._owners.array[members]

    def _table(self, *codes: np.ndarray) -> np.ndarray:
        table = np.zeros(self._length + 1, bool)
        for each in codes:
            table[each] = True
        return table

    def _list(self, members: Sequence[Scalar]) -> int:
        text = json.dumps(members, separators=(",", ":"))
        found = self._lists.get(text)
        if found is not None:
            return found
        numeric = [type(member) in NUMBERS for member in members]
        pairs = list(zip(members, numeric, strict=True))
        codes = [-1 if is_number else self.code(member) for member, is_number in pairs]
        found = self._lists[text] = self._length
        self._length += 1
        self._owners.extend(np.full(len(pairs), found, np.int32))
        self._codes.extend(np.array(codes, np.int32))
        numbers = [float(member) if is_number else np.nan for member, is_number in pairs]
        self._numbers.extend(np.array(numbers, np.float64))
        return found

    def _instants(self) -> np.ndarray:
        """int64 (codes,): the dates among the texts. Searches may come here side by side: each that finds
        some missing makes all of these."""
        known = self._dates
        if len(known) < self._length:
            more = np.full(self._length - len(known), _NO_DATE)
            for value, code in self._scalars.items():
                if code >= len(known) and isinstance(value, str) and 10 <= len(value) <= _LONGEST_DATE:
                    found = instant(value)
                    if found is not None:
                        more[code - len(known)] = found
            self._dates = known = np.concatenate([known, more])
        return known


def within(values: np.ndarray, bounds: Sequence[tuple[str, float]], none: float | None = None) -> np.ndarray:
    """bool (n,): which values are within all bounds; NaN and `none` never are."""
    with np.errstate(invalid="ignore"):
        found = np.logical_and.reduce([_COMPARE[name](values, bound) for name, bound in bounds])
    return found if none is None else found & (values != none)


def one_of(values: np.ndarray, choices: np.ndarray) -> np.ndarray:
    """bool (n,): which numbers are among these."""
    if len(choices) <= _FEW:
        found = np.zeros(len(values), bool)
        for choice in choices:
            found |= values == choice
        return found
    wanted = np.unique(choices)
    places = np.searchsorted(wanted, values)
    return wanted[np.minimum(places, len(wanted) - 1)] == values


def other_than(values: np.ndarray, choices: Sequence[Scalar]) -> np.ndarray:
    """bool (n,): which numbers are there, and not among these."""
    return ~(np.isnan(values) | one_of(values, numbers_of(choices)))


def numbers_of(choices: Sequence[Scalar]) -> np.ndarray:
    """float64 (m,): the numbers among these."""
    return np.array([float(each) for each in choices if type(each) in NUMBERS], np.float64)
