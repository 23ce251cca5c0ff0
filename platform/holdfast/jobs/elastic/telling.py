"""What the controller of Ray Train does, told to the run's host."""

from typing import Any

import ray
from ray.train.v2._internal.execution.callback import ControllerCallback


class TellsHost(ControllerCallback):
    """Tells the host which actor the controller is, and in which state, by a word: `scheduling`, `running`,
    `restarting`, `resizing`, `preempting`, ..."""

    def __init__(self, host: Any) -> None:
        self._host = host
        self._told = ""

    def after_controller_start(self, train_run_context: Any) -> None:
        self._host.meet.remote(ray.get_runtime_context().current_actor)

    def after_controller_state_update(self, previous_state: Any, current_state: Any) -> None:
        word = type(current_state).__name__.removesuffix("State").lower()
        if word != self._told:
            self._told = word
            self._host.enter.remote(word)
