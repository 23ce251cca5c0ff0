"""Asking for many ids: a statement takes only so many parameters."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

AT_ONCE = 500

Id = TypeVar("Id")


def in_chunks(ids: Sequence[Id]) -> Iterator[Sequence[Id]]:
    """The ids in their order, as many at a time as one `IN` should name."""
    for start in range(0, len(ids), AT_ONCE):
        yield ids[start : start + AT_ONCE]
