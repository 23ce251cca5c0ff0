"""Filters as JSON.

    {"color": "red"}                             equality
    {"color": {"in": ["red", "blue"]}}           one of
    {"price": {"gte": 1, "lt": 5}}               a range of numbers (gt, gte, lt, lte)
    {"taken": {"gte": "2024-05-01"}}             a range of dates, see `instant`
    {"color": {"exists": true}}                  there is a value, or with false none
    {"not": {"color": "red"}}                    the filter does not hold
    {"or": [{"color": "red"}, {"price": 1}]}     one of the filters holds
    {"and": [{"color": "red"}, {"price": 1}]}    all of them hold

Several keys must all hold. What they mean is in `holdfast.filters.language`.
"""

from collections.abc import Mapping, Sequence
from typing import cast

from holdfast.base import Scalar, check_text, shown, valid_value
from holdfast.filters.instants import instant
from holdfast.filters.language import (
    And,
    Bound,
    Dates,
    Exists,
    Filter,
    InvalidFilterError,
    Not,
    OneOf,
    Or,
    Range,
)

MAX_KEYS = 32  # of one object
MAX_DEPTH = 8  # of filters in filters
MAX_CONDITIONS = 128  # of the whole
MAX_CHOICES = 1000  # of one `in`
MAX_VALUES = 4000  # of the whole
BOUNDS = ("gt", "gte", "lt", "lte")
OPERATORS = frozenset({"in", "exists", *BOUNDS})


def parse_filter(raw: object) -> Filter | None:
    """The filter that this JSON value means, None for null or `{}`. Raises InvalidFilterError."""
    if raw is None:
        return None
    if not isinstance(raw, Mapping):
        raise InvalidFilterError('A filter is an object such as {"color": "red"}.')
    return _Parser().parse(raw) if raw else None


class _Parser:
    """Counts what a filter holds while it is read."""

    def __init__(self) -> None:
        self._conditions = self._values = 0

    def parse(self, raw: Mapping[object, object], depth: int = 1) -> Filter:
        """An object that has keys."""
        if depth > MAX_DEPTH:
            raise InvalidFilterError(f"A filter goes {MAX_DEPTH} deep at most.")
        if len(raw) > MAX_KEYS:
            raise InvalidFilterError(f"A filter has at most {MAX_KEYS} keys, not {len(raw)}.")
        return _all([self._part(key, value, depth) for key, value in raw.items()])

    def _part(self, key: object, value: object, depth: int) -> Filter:
        # An attribute may have one of these names: it is asked for by what no operator takes.
        if key in ("and", "or") and isinstance(value, list | tuple):
            parts = [self._nested(str(key), each, depth) for each in value]
            if not parts:
                raise InvalidFilterError(f'"{key}" wants a list of at least one filter.')
            return _all(parts) if key == "and" else Or(tuple(parts))
        if key == "not" and isinstance(value, Mapping):
            if value and set(value) <= OPERATORS:
                raise InvalidFilterError(
                    f'"not" wants a filter, and {shown(dict(value))} names no attribute: say '
                    '{"not": {"price": {"gt": 5}}}.'
                )
            return Not(self._nested("not", value, depth))
        self._count(conditions=1)
        return self._condition(key, value)

    def _nested(self, operator: str, raw: object, depth: int) -> Filter:
        if not isinstance(raw, Mapping) or not raw:
            raise InvalidFilterError(
                f'"{operator}" wants filters such as {{"color": "red"}}, not {shown(raw)}.'
            )
        return self.parse(raw, depth + 1)

    def _condition(self, key: object, raw: object) -> Filter:
        if not isinstance(key, str) or not key:
            raise InvalidFilterError(f"The filter's key {shown(key)} is not the name of an attribute.")
        check_text(key, "The filter's key", InvalidFilterError)
        if not isinstance(raw, Mapping):
            self._count(values=1)
            return OneOf(key, (_value(key, raw),))
        operators = set(raw)
        if operators == {"in"}:
            return self._choices(key, raw["in"])
        if operators == {"exists"}:
            if not isinstance(raw["exists"], bool):
                raise InvalidFilterError(f'The filter on {shown(key)}: "exists" wants true or false.')
            return Exists(key) if raw["exists"] else Not(Exists(key))
        if operators and operators <= set(BOUNDS):
            return _range(key, cast("Mapping[Bound, object]", raw))
        hint = ' To negate, write {"not": {KEY: ...}}.' if "not" in operators else ""
        raise InvalidFilterError(
            f'The filter on {shown(key)} knows a plain value, {{"in": [...]}}, {{"exists": true}}, or a '
            f"range of {', '.join(BOUNDS)}; it has "
            f"{shown(sorted(map(str, operators))) if operators else 'nothing'}.{hint}"
        )

    def _choices(self, key: str, choices: object) -> OneOf:
        if not isinstance(choices, list | tuple) or not choices:
            raise InvalidFilterError(f'The filter on {shown(key)}: "in" wants a list of at least one value.')
        if len(choices) > MAX_CHOICES:
            raise InvalidFilterError(f'The filter on {shown(key)}: "in" takes at most {MAX_CHOICES} values.')
        self._count(values=len(choices))
        return OneOf(key, tuple(_value(key, choice) for choice in choices))

    def _count(self, conditions: int = 0, values: int = 0) -> None:
        self._conditions += conditions
        self._values += values
        if self._conditions > MAX_CONDITIONS:
            raise InvalidFilterError(f"A filter has at most {MAX_CONDITIONS} conditions.")
        if self._values > MAX_VALUES:
            raise InvalidFilterError(f"A filter compares with at most {MAX_VALUES:,} values.")


def _all(parts: Sequence[Filter]) -> Filter:
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _range(key: str, bounds: Mapping[Bound, object]) -> Range | Dates:
    if all(isinstance(bound, str) for bound in bounds.values()):
        return Dates(key, tuple((name, _date(key, name, str(bound))) for name, bound in bounds.items()))
    for name, bound in bounds.items():
        if isinstance(bound, bool) or not isinstance(bound, int | float) or not valid_value(bound):
            raise InvalidFilterError(
                f"The filter on {shown(key)}: {name} wants a finite number, or all bounds a date, not "
                f"{shown(bound)}."
            )
    return Range(key, tuple((name, float(cast(float, bound))) for name, bound in bounds.items()))


def _date(key: str, name: str, text: str) -> int:
    found = instant(text)
    if found is None:
        raise InvalidFilterError(
            f"The filter on {shown(key)}: {name} wants a finite number, or a date such as 2024-05-31 or "
            f"2024-05-31T12:00:00Z, not {shown(text)}."
        )
    return found


def _value(key: str, value: object) -> Scalar:
    if not valid_value(value):
        raise InvalidFilterError(
            f"The filter on {shown(key)} compares with {shown(value)}: "
            "a string, a finite number or a bool is allowed."
        )
    assert isinstance(value, str | int | float | bool)
    if isinstance(value, str):
        check_text(value, "The value", InvalidFilterError, of=key)
    return value
