"""Which releases of Milvus work, and what they lack."""

import re
import warnings
from dataclasses import dataclass

KNOWN = ((2, 3), (2, 4), (2, 5), (2, 6), (3, 0))
FIRST = (2, 3, 2)
"""Before it there are no fields of arrays."""
PARTS_UPDATED = (2, 6, 2)
_ARRAYS_INDEXED = (2, 5)
_NUMBER = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True)
class MilvusRelease:
    """A server's release.

    Attributes:
        indexes_arrays: whether a field of arrays may have an index; without one a filter reads every row.
        updates_parts: whether a row keeps the fields that an update leaves out; else they may be emptied.
    """

    text: str
    indexes_arrays: bool
    updates_parts: bool


def milvus_release(said: str) -> MilvusRelease:
    """What a server is that says of itself `v2.6.1`, or the like.

    One that is newer than all that are known, or a build without a number, is a warning.

    Raises ValueError, with what works, for one that is too old.
    """
    found = _NUMBER.search(said)
    number = (0,) if found is None else tuple(int(part or 0) for part in found.groups())
    if found is not None and number < FIRST:
        raise ValueError(
            f"it is Milvus {_text(number)}, and Holdfast needs {_text(FIRST)} or newer; {_known()} work. "
            "Upgrade the server, which keeps its collections"
        )
    if number[:2] not in KNOWN and (found is None or number > KNOWN[-1]):
        warnings.warn(
            f"This Milvus says that it is {said!r}; Holdfast knows {_known()}. It goes on as with the newest "
            "of them.",
            stacklevel=3,
        )
    return MilvusRelease(
        said, found is None or number >= _ARRAYS_INDEXED, found is None or number >= PARTS_UPDATED
    )


def _known() -> str:
    return ", ".join(map(_text, KNOWN))


def _text(number: tuple[int, ...]) -> str:
    return ".".join(map(str, number))
