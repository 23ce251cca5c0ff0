"""Metadata of other libraries as attributes of entries, vectors of other models as the gallery takes them."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from holdfast_serving.client import InvalidRequestError

REST = "metadata_json"
"""The attribute that holds, as JSON, what no attribute can be."""
_LARGEST = 2**53
_MEMBERS = 256


def as_attributes(metadata: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes that `as_metadata` turns back, with `more`, whose names metadata may not have.

    Raises InvalidRequestError for a name that is taken, and for what is not JSON.
    """
    taken = sorted({REST, *more} & set(metadata))
    if taken:
        raise InvalidRequestError(f"metadata may not be called {taken[0]}: the store keeps its own there.")
    flat = {key: value for key, value in metadata.items() if _can_be_attribute(value)}
    rest = {key: value for key, value in metadata.items() if key not in flat}
    try:
        kept = {REST: json.dumps(rest, ensure_ascii=False)} if rest else {}
    except TypeError as error:
        raise InvalidRequestError(f"metadata has to be JSON: {error}.") from error
    return {**flat, **kept, **more}


def as_metadata(attributes: Mapping[str, Any]) -> dict[str, Any]:
    metadata = dict(attributes)
    return metadata | json.loads(metadata.pop(REST, "{}"))


def _can_be_attribute(value: object) -> bool:
    # An empty list would match nothing, and is told apart from none only by `exists`.
    if isinstance(value, list):
        return 0 < len(value) <= _MEMBERS and all(map(_is_plain, value))
    return _is_plain(value)


def _is_plain(value: object) -> bool:
    if isinstance(value, int):
        return abs(value) <= _LARGEST
    return isinstance(value, str) or (isinstance(value, float) and math.isfinite(value))


def normalized(vectors: Sequence[Sequence[float]]) -> np.ndarray:
    """float32 (n, d) of unit norm, as the gallery holds them: it ranks by cosine.

    Raises InvalidRequestError for a vector of no direction.
    """
    rows = np.asarray(vectors, dtype=np.float64)
    if not len(rows):
        return np.empty((0, 0), np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise InvalidRequestError("A vector is all zeros, or holds a number that is not finite.")
    unit: np.ndarray = (rows / lengths).astype(np.float32)
    return unit
