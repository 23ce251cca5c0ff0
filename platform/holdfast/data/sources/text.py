"""Columns of text as arrays whose cost follows what they hold, not rows times their longest value."""

from collections.abc import Sequence

import numpy as np

LARGEST = 32 * 2**20
"""Bytes of an array of fixed width; one that would take more holds objects."""
CHARACTER = np.dtype("U1").itemsize


def text_array(values: Sequence[str]) -> np.ndarray:
    """(n,) of numpy's fixed-width text, or of `str` objects where a long value would make that large.

    Not of numpy's StringDType: `np.searchsorted` (2.4) does not find in it what is there.
    """
    width = max(map(len, values), default=0)
    return np.array(values, dtype=object if width * CHARACTER * len(values) > LARGEST else np.str_)


def is_text(values: np.ndarray) -> bool:
    """Whether an array is one of `text_array`."""
    return values.dtype.kind in "UO"
