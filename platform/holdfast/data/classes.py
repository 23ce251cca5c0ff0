"""The classes of many rows, numbered."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa


class Classes(NamedTuple):
    """What `np.unique` says of the labels of n rows.

    Attributes:
        names: (c,), sorted; `sizes` int64 (c,): how many rows each has.
        codes: int64 (n,), the place of each row's label among the names.
    """

    names: np.ndarray
    codes: np.ndarray
    sizes: np.ndarray


def number_classes(labels: np.ndarray) -> Classes:
    """The classes of labels (n,) of any sortable type."""
    if labels.dtype != object:
        names, codes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
        return Classes(names, codes.astype(np.int64), sizes)
    # Python's texts, which numpy would sort row by row: only one of each is.
    encoded = pa.array(labels, pa.large_string()).dictionary_encode()
    found = np.array(encoded.dictionary.to_pylist(), dtype=object)
    order = np.argsort(found, kind="stable")
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    codes = places[encoded.indices.to_numpy()]
    return Classes(found[order], codes, np.bincount(codes, minlength=len(order)))
