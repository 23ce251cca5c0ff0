"""What is said while something waits for machines: for what, what is free, and for how long."""

import time
from collections.abc import Callable, Mapping

import ray

from holdfast.base import duration
from holdfast.jobs.machines.places import describe_amounts
from holdfast.scaling import ACCELERATOR

FIRST_SECONDS = 3.0
"""So long nothing is said: others may just be ending."""
MOST_SECONDS = 60.0
"""Between two sentences, at most; they come ever more slowly."""


class Waits:
    """Says what is waited for, more and more rarely, as long as it is.

    Args:
        what: for whom, as the beginning of a sentence.
        count, each: so many times what is needed on one machine.
        say: gets a sentence.
    """

    def __init__(self, what: str, count: int, each: Mapping[str, float], say: Callable[[str], None]) -> None:
        self._what, self._count, self._each, self._say = what, count, each, say
        self._since: float | None = None
        self._due = FIRST_SECONDS

    def look(self, waits: bool) -> None:
        """To be called every now and then with whether it waits."""
        now = time.monotonic()
        if not waits:
            self._since = None
        elif self._since is None:
            self._since, self._due = now, FIRST_SECONDS
        elif now - self._since >= self._due:
            self._due += min(self._due, MOST_SECONDS)
            self._say(self._sentence(now - self._since))

    def _sentence(self, seconds: float) -> str:
        free = ray.available_resources()
        counted = [name for name in self._each if not name.startswith(ACCELERATOR)]
        there = describe_amounts({name: free.get(name, 0.0) for name in counted})
        times = f"{self._count} times " if self._count > 1 else ""
        return (
            f"{self._what} waits for {times}{describe_amounts(self._each)}; free on all machines together: "
            f"{there} (for {duration(seconds)} so far)"
        )
