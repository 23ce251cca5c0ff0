"""What the id and the attributes of an item may be, wherever they are written or asked for."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

Scalar = str | int | float | bool
Value = Scalar | list[Scalar]

MAX_ID_BYTES = 512
MAX_ATTRIBUTES = 64
MAX_MEMBERS = 256  # of a list
MAX_INTEGER = 2**53  # beyond it a number in JSON or float64 is no longer exact


def valid_value(value: object) -> bool:
    """Whether it may be an attribute, or one of the members of a list that is one."""
    if isinstance(value, str | bool):
        return True
    if isinstance(value, int):
        return abs(value) <= MAX_INTEGER
    return isinstance(value, float) and math.isfinite(value)


def valid_attribute(value: object) -> bool:
    """Whether it may be an attribute: a plain value, or a list of such."""
    if isinstance(value, list):
        return len(value) <= MAX_MEMBERS and all(map(valid_value, value))
    return valid_value(value)


def chosen(attributes: Mapping[str, Any], choice: bool | Sequence[str]) -> Mapping[str, Any]:
    """All attributes (True), none (False), or those of these names."""
    if isinstance(choice, bool):
        return attributes if choice else {}
    return {key: attributes[key] for key in choice if key in attributes}


def is_null(value: object) -> bool:
    """Whether a value says that there is none: None, NaN, and what data frames have in their place."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # of pandas.NA nothing is known, and of an array nothing as a whole
        return type(value).__name__ == "NAType"
