"""What a push knows of a place that takes vectors."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np


@dataclass(frozen=True)
class Target:
    """What the vectors are, and where they go.

    Args:
        version, dimension: whose vectors they are.
        vector: the column, field or named vector that takes them.
        id: the column of the ids, where the place does not say itself which it is.
        table: of a database that has many.
    """

    version: str
    dimension: int
    vector: str
    id: str | None = None
    table: str | None = None


class Writer(ABC):
    """A place, open for writing. Every method raises DataError, in a sentence, where it fails.

    Attributes:
        place: its name for people, with what takes the vectors; no password is in it.
        identity: what tells it from other places.
        is_new: whether what takes the vectors was not there before.
        resumes: whether what was written stays when the push does not come to its end.
    """

    place: str
    identity: str
    is_new: bool = False
    resumes: bool = True

    @abstractmethod
    def write(self, ids: Sequence[str], vectors: np.ndarray) -> Sequence[str]:
        """Write vectors, float32 (n, d), beside what is there under these ids.

        Returns those ids that are not there: nothing is written for them. When it returns, the rest is kept.
        """

    def finish(self) -> None:
        """All is written."""
        return

    def close(self) -> None:
        """Let go of the place."""
        return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
