"""Telling trackers of a run that neither waits for them nor fails with them."""

import queue
import threading
import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field

from holdfast.base import hide_secrets
from holdfast.tracking.events import Begun, Ended, Event, Stepped
from holdfast.tracking.tracker import Tracker, TrackerConfig, tell

CLOSING_SECONDS = 30.0
"""So long a run that is over waits for what its trackers have not yet taken."""
_MANY = 1000  # steps that wait for a tracker; further ones are left out
_PAUSE_SECONDS = 10.0  # after a failure, in which steps are left out


@dataclass
class _Told:
    """One tracker, its thread, and what it has still to hear."""

    kind: str
    pace: float
    tracker: Tracker
    closing: float
    events: "queue.SimpleQueue[Event]" = field(default_factory=queue.SimpleQueue)
    next_step: float = 0.0
    lost: int = 0
    complaint: str = ""
    _begun: Begun | None = None
    _failed: float = float("-inf")

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._work, name=f"tracker-{self.kind}", daemon=True)
        self._thread.start()

    def tell(self, event: Event) -> None:
        if isinstance(event, Stepped):
            now = time.monotonic()
            if now < self.next_step and not event.last:
                return
            self.next_step = now + self.pace
            if self.events.qsize() > _MANY:
                self.lost += 1
                return
        self.events.put(event)

    def close(self) -> int:
        """How much it has not taken in time."""
        # One that has failed before is not worth the whole wait.
        self._thread.join(self.closing / 3 if self.complaint else self.closing)
        return self.events.qsize() + 1 if self._thread.is_alive() else 0

    def _work(self) -> None:
        while True:
            event = self.events.get()
            if isinstance(event, Begun):
                self._begun = event
            elif isinstance(event, Stepped) and time.monotonic() < self._failed + _PAUSE_SECONDS:
                self.lost += 1
                continue
            try:
                if self._begun is not None:
                    tell(self.tracker, self._begun)
                    self._begun = None
                if not isinstance(event, Begun):
                    tell(self.tracker, event)
            # Whatever a library does, the run goes on.
            except BaseException as error:
                self.lost += 1
                self._failed = time.monotonic()
                said = " ".join(str(error).split())[:300].rstrip(". ")
                self.complaint = self.complaint or hide_secrets(f"{type(error).__name__}: {said}")
            if isinstance(event, Ended):
                return


class Tracking:
    """All trackers of a run; none is fine.

    A tracker that fails is a warning, once, and another one at the end that says how much it missed.

    Args:
        closing: seconds that `tell` waits, when it tells of the end, for what a tracker has not yet taken.

    Raises ConfigError where the library of one of them is not installed.
    """

    def __init__(self, configs: Iterable[TrackerConfig], closing: float = CLOSING_SECONDS) -> None:
        opened = [(config, config.open()) for config in configs]
        self._told = [_Told(config.kind, config.seconds, tracker, closing) for config, tracker in opened]
        self._warned: set[int] = set()

    def tell(self, event: Event) -> None:
        """Hand it to all of them; only the end waits until they have taken it."""
        for told in self._told:
            told.tell(event)
        late = [told.close() for told in self._told] if isinstance(event, Ended) else [0] * len(self._told)
        for number, told in enumerate(self._told):
            if told.complaint and number not in self._warned:
                self._warned.add(number)
                _warn(f"The tracker {told.kind} fails, and the run goes on without it: {told.complaint}.")
        if isinstance(event, Ended):
            for told, left in zip(self._told, late, strict=True):
                if told.lost or left:
                    _warn(f"The tracker {told.kind} was not told of {_events(told.lost + left)}.")


def check_trackers(configs: Iterable[TrackerConfig]) -> None:
    """Raises ConfigError where the library of one of them is not installed."""
    for config in configs:
        config.open()


def _events(count: int) -> str:
    return "one event" if count == 1 else f"{count} events"


def _warn(said: str) -> None:
    warnings.warn(said, stacklevel=3)
