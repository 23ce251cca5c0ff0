"""Attribute filters, as JSON.

    {"color": "red"}                      equality
    {"color": {"in": ["red", "blue"]}}    one of
    {"price": {"gte": 1, "lt": 5}}        a range of numbers (gt, gte, lt, lte)

Several keys must all hold. An entry without the key does not match. Types count: true is not 1, "1" is not 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from holdfast.base import HoldfastError, Value, check_text, shown, valid_value

MAX_CONDITIONS = 32
MAX_CHOICES = 1000
RANGES = ("gt", "gte", "lt", "lte")


class InvalidFilterError(HoldfastError):
    """A filter that cannot be understood: names the key."""

    code = "invalid_filter"


@dataclass(frozen=True)
class OneOf:
    """The value is one of `choices`."""

    key: str
    choices: tuple[Value, ...]


@dataclass(frozen=True)
class Range:
    """The value is a number within all bounds; a bound is an operator and a number."""

    key: str
    bounds: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Filter:
    """Conditions that must all hold."""

    conditions: tuple[OneOf | Range, ...]


def parse_filter(raw: object) -> Filter | None:
    """The filter that this JSON value means, None for null or `{}`. Raises InvalidFilterError."""
    if raw is None:
        return None
    if not isinstance(raw, Mapping):
        raise InvalidFilterError('A filter is an object such as {"color": "red"}.')
    if len(raw) > MAX_CONDITIONS:
        raise InvalidFilterError(f"A filter has at most {MAX_CONDITIONS} keys, not {len(raw)}.")
    conditions = tuple(_condition(key, condition) for key, condition in raw.items())
    return Filter(conditions) if conditions else None


def _condition(key: object, raw: object) -> OneOf | Range:
    if not isinstance(key, str) or not key:
        raise InvalidFilterError(f"The filter's key {shown(key)} is not the name of an attribute.")
    check_text(key, "The filter's key", InvalidFilterError)
    if not isinstance(raw, Mapping):
        return OneOf(key, (_value(key, raw),))
    operators = set(raw)
    if operators == {"in"}:
        choices = raw["in"]
        if not isinstance(choices, list | tuple) or not choices:
            raise InvalidFilterError(f'The filter on {shown(key)}: "in" wants a list of at least one value.')
        if len(choices) > MAX_CHOICES:
            raise InvalidFilterError(f'The filter on {shown(key)}: "in" takes at most {MAX_CHOICES} values.')
        return OneOf(key, tuple(_value(key, choice) for choice in choices))
    if not operators or not operators.issubset(RANGES):
        raise InvalidFilterError(
            f'The filter on {shown(key)} knows a plain value, {{"in": [...]}}, or a range of '
            f"{', '.join(RANGES)}; it has {shown(sorted(map(str, operators))) if operators else 'nothing'}."
        )
    for name, bound in raw.items():
        if isinstance(bound, bool) or not isinstance(bound, int | float) or not valid_value(bound):
            raise InvalidFilterError(
                f"The filter on {shown(key)}: {name} wants a finite number, not {shown(bound)}."
            )
    return Range(key, tuple((str(name), float(bound)) for name, bound in raw.items()))


def _value(key: str, value: object) -> Value:
    if not valid_value(value):
        raise InvalidFilterError(
            f"The filter on {shown(key)} compares with {shown(value)}: "
            "a string, a finite number or a bool is allowed."
        )
    assert isinstance(value, str | int | float | bool)
    if isinstance(value, str):
        check_text(value, "The value", InvalidFilterError, of=key)
    return value
