"""What a run's host knows, passed on to whoever watches: progress, waiting, machines that come and go."""

import time
from contextlib import suppress
from typing import Any

import ray

from holdfast.jobs.machines import Waits, has_places
from holdfast.learning import Progress, Watcher
from holdfast.scaling import ScalingConfig

EVENTS = {
    "restarting": "workers are lost: going on from the last checkpoint",
    "resizing": "there is room for more workers: going on with them from a new checkpoint",
    "preempting": "a machine announces its end: a checkpoint is written, and then others as long as it lives",
}
STANDS = ("initializing", "restarting", "rescheduling")
"""States of the controller that pass at once where there are resources."""
ANSWER_SECONDS = 30.0
END_SECONDS = 2.0
PLACE_SECONDS = 1.0
"""Between two looks at whether the workers have their places."""


class Relay:
    """Between the host of a run and a watcher.

    Args:
        what: runs, as the beginning of a sentence.
    """

    def __init__(self, what: str, scaling: ScalingConfig, host: Any, watch: Watcher) -> None:
        self._host, self._watch = host, watch
        self._waits = Waits(what, scaling.least, scaling.each, self._say)
        self._state = ""
        self._asked: list[Any] | None = None
        self._looked = 0.0

    def pass_on(self) -> None:
        """Tell the watcher what is new; nothing where the host has ended, which the trainer explains, or
        where it publishes, and is asked again."""
        if self._asked is None:
            self._asked = [self._host.drain.remote(), self._host.state.remote()]
        try:
            seen, state = ray.get(self._asked, timeout=ANSWER_SECONDS)
        except ray.exceptions.GetTimeoutError:
            return
        except ray.exceptions.RayError:
            self._asked = None
            return
        self._asked = None
        if state != self._state:
            self._state = state
            if state in EVENTS:
                self._say(EVENTS[state])
        for progress in seen:
            self._watch(progress)
        now = time.monotonic()
        if state != "scheduling":
            self._waits.look(state in STANDS)
        elif now - self._looked >= PLACE_SECONDS:
            self._looked = now
            self._waits.look(not has_places())

    def end(self) -> None:
        """Have the controller end, and the workers with it, where it can be reached."""
        with suppress(ray.exceptions.RayError):
            controller = ray.get(self._host.controller.remote(), timeout=END_SECONDS)
            if controller is not None:
                ray.kill(controller)

    def _say(self, sentence: str) -> None:
        self._watch(Progress(sentence, 0, 0))
