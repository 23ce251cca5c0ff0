from .instants import PATTERN, as_text, instant
from .language import (
    And,
    Condition,
    Dates,
    Exists,
    Filter,
    InvalidFilterError,
    Not,
    OneOf,
    Or,
    OtherThan,
    Range,
    both,
)
from .parsing import parse_filter

__all__ = [
    "And",
    "Condition",
    "Dates",
    "Exists",
    "Filter",
    "InvalidFilterError",
    "Not",
    "OneOf",
    "Or",
    "OtherThan",
    "PATTERN",
    "Range",
    "as_text",
    "both",
    "instant",
    "parse_filter",
]
