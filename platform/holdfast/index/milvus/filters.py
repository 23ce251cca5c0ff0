"""Filters as Milvus expressions that mean what they mean everywhere else.

Comparing JSON in Milvus depends on how a number was written and on the server's idea of types. So an entry
carries what its attributes can be asked for in a form that leaves nothing to interpret: a `term` for every
key, type and value (a hash of 63 bits), and its numbers as floats under a hash of their key. No text of a
user is ever part of an expression, except ids, which are quoted here.
"""

import json
import struct
from collections.abc import Sequence
from hashlib import blake2b

from holdfast.base import Scalar, Value, shown
from holdfast.filters import And, Dates, Filter, InvalidFilterError, Not, OneOf, Or, Range

_OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def filterable(attributes: str) -> tuple[list[int], dict[str, float]]:
    """The terms and the numbers of an entry's attributes (JSON text). Of a list each member is a term."""
    values: dict[str, Value] = json.loads(attributes)
    terms = {
        _term(key, each)
        for key, value in values.items()
        for each in (value if isinstance(value, list) else [value])
    }
    # bool is an int to Python, and no number to a filter.
    numbers = {
        _number(key): float(value)
        for key, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    return sorted(terms), numbers


def expression(allowed: Filter | None) -> str:
    """What selects the entries that match, for the fields `terms` and `numbers`; empty for all of them.

    Raises InvalidFilterError for what the index has nothing to ask by.
    """
    match allowed:
        case None:
            return ""
        case And(parts):
            said = [(part, expression(part)) for part in parts]
            return " and ".join(f"({each})" if isinstance(part, Or) else each for part, each in said)
        case Or(parts):
            return " or ".join(f"({expression(part)})" for part in parts)
        case Not(part):
            return f"not ({expression(part)})"
        case OneOf(key, choices):
            terms = sorted({_term(key, choice) for choice in choices})
            return f"ARRAY_CONTAINS_ANY(terms, [{', '.join(map(str, terms))}])"
        case Range(key, bounds):
            field = f'numbers["{_number(key)}"]'
            # A float even where it is whole: JSON holds floats only, and the two are compared as they are.
            tests = [f"{field} {_OPERATORS[name]} {float(bound)!r}" for name, bound in bounds]
            # Of what is not there a comparison is neither true nor false, and so is its negation. Brackets,
            # because in Milvus 2.3 `exists` reaches over what follows.
            return " and ".join([f"(exists {field})", *tests])
    asked = "a range of dates" if isinstance(allowed, Dates) else "exists, nor groups"
    raise InvalidFilterError(
        f"The filter on {shown(allowed.key)}: Milvus holds nothing by which it could answer {asked}."
    )


def among(ids: Sequence[str]) -> str:
    """What selects the entries of these ids."""
    # pymilvus quotes ids without escaping what is in them.
    quoted = ", ".join(f'"{identifier.translate(_ESCAPES)}"' for identifier in ids)
    return f"id in [{quoted}]"


def _term(key: str, value: Scalar) -> int:
    if isinstance(value, bool):
        typed = b"b1" if value else b"b0"
    elif isinstance(value, str):
        typed = b"s" + value.encode(errors="surrogatepass")
    else:
        typed = b"n" + struct.pack("<d", float(value) + 0.0)  # -0.0 is 0.0
    name = key.encode(errors="surrogatepass")
    return int.from_bytes(_hash(struct.pack("<I", len(name)) + name + typed)) >> 1


def _number(key: str) -> str:
    return "n" + _hash(key.encode(errors="surrogatepass")).hex()


def _hash(text: bytes) -> bytes:
    return blake2b(text, digest_size=8).digest()
