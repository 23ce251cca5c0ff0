"""What the id and the attributes of an item may be, wherever they are written or asked for."""

import math

Value = str | int | float | bool

MAX_ID_BYTES = 512
MAX_ATTRIBUTES = 64
MAX_INTEGER = 2**53  # beyond it a number in JSON or float64 is no longer exact


def valid_value(value: object) -> bool:
    if isinstance(value, str | bool):
        return True
    if isinstance(value, int):
        return abs(value) <= MAX_INTEGER
    return isinstance(value, float) and math.isfinite(value)


def is_null(value: object) -> bool:
    """Whether a value says that there is none: None, NaN, and what data frames have in their place."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # of pandas.NA nothing is known, and of an array nothing as a whole
        return type(value).__name__ == "NAType"
