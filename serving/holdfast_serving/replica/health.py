"""Whether a version's model answers as it did when the version was published."""

import logging
import time

from holdfast.base import EndpointError, HoldfastError

logger = logging.getLogger(__name__)

RECHECK_SECONDS = 10.0
"""After which a model that did not answer is asked again."""


class Health:
    """Of one loaded version: what the last check found, and when.

    A version that is not well answers nothing: what a changed model makes of a query cannot be compared with
    what the gallery holds.
    """

    def __init__(self, version: str) -> None:
        self._version = version
        self._fault: HoldfastError | None = None
        self._checked = time.monotonic()

    @property
    def fault(self) -> str | None:
        """What is wrong, in a sentence that names the version; None while nothing is known to be."""
        return None if self._fault is None else str(self._fault)

    @property
    def code(self) -> str | None:
        """The same in a word."""
        return None if self._fault is None else self._fault.code

    def require(self) -> None:
        """Raises what is wrong, if anything is."""
        if self._fault is not None:
            # Another one each time: an error remembers where it was raised.
            raise type(self._fault)(str(self._fault))

    def passed(self) -> None:
        self._checked = time.monotonic()
        if self._fault is not None:
            logger.warning("%s answers as it did when it was published: it is used again", self._version)
            self._fault = None

    def failed(self, error: HoldfastError) -> None:
        self._checked = time.monotonic()
        before, self._fault = self._fault, type(error)(f"{self._version}: {error}")
        if type(before) is not type(error):
            logger.error("%s is not used any more: %s", self._version, error)

    def is_due(self, every: float) -> bool:
        """Whether it is time to look again, `every` so many seconds; earlier where nobody answered."""
        unanswered = isinstance(self._fault, EndpointError)
        return time.monotonic() - self._checked >= (min(every, RECHECK_SECONDS) if unanswered else every)
