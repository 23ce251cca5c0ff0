"""What a filter can say, in the one form in which it is evaluated, wherever that is.

An attribute is a string, a number, a bool, or a list of these. A condition holds for a list where it holds
for one of its members, which has to be within all bounds of a range. Types count: true is not 1, and "1" is
neither. An entry without the attribute meets no condition on it, and so every negation of one.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from holdfast.base import HoldfastError, Scalar

Bound: TypeAlias = Literal["gt", "gte", "lt", "lte"]


class InvalidFilterError(HoldfastError):
    """A filter that cannot be understood: names the key."""

    code = "invalid_filter"


@dataclass(frozen=True)
class OneOf:
    """The value is one of `choices`."""

    key: str
    choices: tuple[Scalar, ...]


@dataclass(frozen=True)
class OtherThan:
    """There is a value that is none of `choices`; what searches by groups ask, and no JSON says."""

    key: str
    choices: tuple[Scalar, ...]


@dataclass(frozen=True)
class Range:
    """The value is a number within all bounds; a bound is an operator and a number."""

    key: str
    bounds: tuple[tuple[Bound, float], ...]


@dataclass(frozen=True)
class Dates:
    """The value is a date within all bounds, see `instant`; a bound is an operator and microseconds since
    1970, UTC."""

    key: str
    bounds: tuple[tuple[Bound, int], ...]


@dataclass(frozen=True)
class Exists:
    """There is a value; an empty list is one."""

    key: str


@dataclass(frozen=True)
class Not:
    """The part does not hold."""

    part: "Filter"


@dataclass(frozen=True)
class And:
    """All parts hold."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True)
class Or:
    """One of the parts holds."""

    parts: tuple["Filter", ...]


Condition: TypeAlias = OneOf | OtherThan | Range | Dates | Exists
Filter: TypeAlias = Condition | Not | And | Or


def both(first: Filter | None, second: Filter | None) -> Filter | None:
    """What holds where both hold; None is what always does."""
    if first is None or second is None:
        return first or second
    return And((first, second))
