"""What the learner tells whoever watches."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Progress:
    """One glance at a running sequence. Counts start at 0; `seconds_left` covers the current task.

    `before`: the steps of all tasks before this one. Once a task is `published`, whose `version` then has a
    name, they are with its own.
    """

    phase: str
    task: int
    tasks: int
    name: str = ""
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    terms: dict[str, float] = field(default_factory=dict)
    images_per_second: float = 0.0
    seconds_left: float | None = None
    before: int = 0
    version: str = ""


PUBLISHED = "published"
"""The phase in which a task has become a version; also told, of each, by a run that goes on."""
Watcher = Callable[[Progress], None]


def ignore_progress(progress: Progress) -> None:
    """A watcher that does not look."""


def nobody_wants() -> bool:
    """Whether anybody wants a checkpoint now that is not due: never."""
    return False


@dataclass
class Throughput:
    """How many images were learned in how many seconds, over all interruptions; and for how many of these,
    since the last one, the steps waited for their images: to be read, sent and distorted."""

    images: int = 0
    seconds: float = 0.0
    waiting: float = 0.0
    _since: float = 0.0

    def start(self) -> None:
        """Seconds count from here."""
        self._since = time.perf_counter()

    def lap(self) -> None:
        """Count the seconds until here, and go on."""
        now = time.perf_counter()
        self.seconds += now - self._since
        self._since = now

    @contextmanager
    def wait(self) -> Iterator[None]:
        """Around what a step waits for."""
        started = time.perf_counter()
        yield
        self.waiting += time.perf_counter() - started

    @property
    def images_per_second(self) -> float:
        return self.images / self.seconds if self.seconds else 0.0


class Throttle:
    """Lets through one call in `seconds`, so that telling costs nothing beside learning."""

    def __init__(self, seconds: float = 0.25) -> None:
        self._seconds = seconds
        self._next = 0.0

    def __call__(self) -> bool:
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True
