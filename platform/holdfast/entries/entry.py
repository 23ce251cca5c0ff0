"""One gallery item, and what makes it valid."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import orjson

from holdfast.base import (
    MAX_ATTRIBUTES,
    MAX_ID_BYTES,
    MAX_MEMBERS,
    HoldfastError,
    InvalidVectorError,
    Value,
    as_vector,
    bad_norms,
    check_text,
    explain_norm,
    is_null,
    shown,
    valid_attribute,
)

DOTS = (".", "..")  # what a path forgets, percent-encoded or not
MAX_ATTRIBUTE_BYTES = 16 * 1024  # of all attributes of an entry, as JSON

_NUL = "\\u0000"  # as JSON writes it
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)


class InvalidEntryError(HoldfastError):
    """An id, an attribute or a source that cannot be stored."""

    code = "invalid_entry"


@dataclass(frozen=True, eq=False)
class Entry:
    """One item of the gallery.

    Args:
        id: 1 to 512 bytes of UTF-8, the key of an upsert.
        version: which version embedded it, by name.
        vector: float32 (d,), unit norm.
        attributes: what filters see; a value is a string, a number, a bool, or a list of these.
        source: where the item came from, for the user's eyes.
        seq: the write that made it, given by the database.
        mapped_from, mapped_by: of a vector that a backfill moved with an adapter, the version that looked at
            the image and the adapter's digest; None for a vector that `version` made itself. Given by the
            database: who writes an entry says that its vector is `version`'s own.
    """

    id: str
    version: str
    vector: np.ndarray
    attributes: Mapping[str, Value] = field(default_factory=dict)
    source: str | None = None
    seq: int = 0
    mapped_from: str | None = None
    mapped_by: str | None = None


def check_id(identifier: object) -> str:
    """Raises InvalidEntryError unless this can be a new entry's id."""
    identifier = check_known_id(identifier)
    if identifier in DOTS:
        raise InvalidEntryError(
            f"The id {identifier!r} cannot be: clients and proxies drop it from an address. Choose another."
        )
    return identifier


def check_known_id(identifier: object) -> str:
    """Raises InvalidEntryError unless there can be an entry of this id: old ones may have ids that no new one
    is given."""
    if not isinstance(identifier, str):
        raise InvalidEntryError(f"The id {shown(identifier)} is not a string.")
    size = len(check_text(identifier, "The id", InvalidEntryError).encode())
    if not 1 <= size <= MAX_ID_BYTES:
        raise InvalidEntryError(f"The id {shown(identifier)} has {size} bytes: 1 to {MAX_ID_BYTES} can be.")
    return identifier


def check_attributes(identifier: str, attributes: object, nulls: Counter[str] | None = None) -> str:
    """The attributes as JSON text. One whose value is null (None, NaN, NaT) is as if it were not there, and
    so is a member of a list.

    Args:
        nulls: counts these by their keys.

    Raises InvalidEntryError, naming the entry and the key, unless they can be stored and filtered.
    """
    if not isinstance(attributes, dict | Mapping):  # dict first: it is the quick check
        raise InvalidEntryError(f"The attributes of {shown(identifier)} are not an object of keys.")
    if not attributes:
        return "{}"
    valid = all(map(valid_attribute, attributes.values()))
    if not valid:
        attributes = _plain(attributes, nulls)
    if len(attributes) > MAX_ATTRIBUTES:
        raise InvalidEntryError(
            f"{identifier!r} has {len(attributes)} attributes: at most {MAX_ATTRIBUTES} are allowed."
        )
    for key, value in attributes.items():
        if not isinstance(key, str) or not key:
            raise InvalidEntryError(
                f"The attribute {shown(key)} of {shown(identifier)} is not named by a string."
            )
        if not (valid or valid_attribute(value)):
            raise InvalidEntryError(
                f"The attribute {shown(key)} of {shown(identifier)} is {shown(value)}: a string, a finite "
                f"number (integers up to 2^53), a bool, or a list of up to {MAX_MEMBERS} of these is allowed."
            )
    text = _dump(attributes)
    if _NUL in text:
        _refuse_nul(identifier, attributes)
    check_text(text, "The attributes", InvalidEntryError, of=identifier)
    if len(text) > MAX_ATTRIBUTE_BYTES or len(text.encode()) > MAX_ATTRIBUTE_BYTES:
        raise InvalidEntryError(
            f"The attributes of {shown(identifier)} are over {MAX_ATTRIBUTE_BYTES} bytes of JSON."
        )
    return text


def _dump(attributes: Mapping[str, object]) -> str:
    try:
        return orjson.dumps(attributes).decode()
    except TypeError:  # NumPy's own kinds of numbers, and text that is refused afterwards
        return _ENCODER.encode(attributes)


def _refuse_nul(identifier: str, attributes: Mapping[str, object]) -> None:
    # The text alone does not tell: a backslash may stand before it.
    for key, value in attributes.items():
        for text in (key, *(value if isinstance(value, list) else [value])):
            if isinstance(text, str):
                check_text(text, "An attribute", InvalidEntryError, of=identifier)


def _plain(attributes: Mapping[str, object], nulls: Counter[str] | None) -> dict[str, object]:
    """Without nulls, and with Python's values in place of NumPy's."""
    counted = Counter[str]() if nulls is None else nulls
    plain: dict[str, object] = {}
    for key, value in attributes.items():
        if isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim == 1):
            members = [_plain_value(each) for each in value]
            plain[key] = kept = [each for each in members if not is_null(each)]
            if len(kept) < len(members):
                counted[key] += len(members) - len(kept)
        elif is_null(found := _plain_value(value)):
            counted[key] += 1
        else:
            plain[key] = found
    return plain


def _plain_value(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item() if value.dtype.kind in "biufSU" else value
    return value


def check_source(identifier: str, source: object) -> str | None:
    if source is None:
        return None
    if not isinstance(source, str):
        raise InvalidEntryError(f"The source of {shown(identifier)} is not a string.")
    return check_text(source, "The source", InvalidEntryError, of=identifier)


def check_vectors(
    ids: Sequence[str], versions: Sequence[str], vectors: Sequence[object], dimensions: Mapping[str, int]
) -> list[bytes]:
    """The bytes (float32, little endian) of each vector.

    Raises InvalidVectorError, naming the first bad entry, for a vector of the wrong dimension, one that is
    not finite, or one whose norm is not 1 within 1e-3.
    """
    by_dimension: dict[int, list[int]] = {}
    arrays: list[np.ndarray] = []
    for position, (identifier, version, vector) in enumerate(zip(ids, versions, vectors, strict=True)):
        array = as_vector(vector, f"of {identifier!r}")
        dimension = dimensions[version]
        if array.shape != (dimension,):
            raise InvalidVectorError(
                f"The vector of {identifier!r} has shape {array.shape}: {version} makes ({dimension},)."
            )
        arrays.append(array)
        by_dimension.setdefault(dimension, []).append(position)
    for positions in by_dimension.values():
        bad = bad_norms(np.stack([arrays[position] for position in positions]))
        if bad.size:
            position = positions[int(bad[0])]
            raise InvalidVectorError(explain_norm(f"of {ids[position]!r}", arrays[position]))
    return [array.astype("<f4", copy=False).tobytes() for array in arrays]
