"""A run outlasts a database that restarts, or whose standby takes over."""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np

from holdfast.base import DatabaseAwayError
from holdfast.learning import Ancestor, Learned, Publisher

PATIENCE_SECONDS = 120.0
"""So long a run waits for its database."""
_PAUSE_SECONDS = 1.0

Answer = TypeVar("Answer")


def patiently(call: Callable[[], Answer]) -> Answer:
    """What a call answers that may be repeated, once the database is there.

    Raises what the call raises, DatabaseAwayError only after PATIENCE_SECONDS.
    """
    deadline: float | None = None
    while True:
        try:
            return call()
        except DatabaseAwayError as error:
            if deadline is None:
                deadline = time.monotonic() + PATIENCE_SECONDS
                warnings.warn(
                    f"{error} The run waits for it, {PATIENCE_SECONDS:.0f} s at most.", stacklevel=2
                )
            elif time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE_SECONDS)


@dataclass(frozen=True)
class PatientPublisher:
    """A publisher that waits for its database: to publish the same again changes nothing."""

    inner: Publisher

    def parent(self) -> Ancestor | None:
        return patiently(self.inner.parent)

    def gallery_sample(self) -> np.ndarray | None:
        return patiently(self.inner.gallery_sample)

    def publish(self, learned: Learned) -> str:
        return patiently(partial(self.inner.publish, learned))
