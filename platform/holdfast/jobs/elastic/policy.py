"""How many workers a run has: as many as there is room for, at any moment.

Ray's own elastic policy counts what others use as room, looks every 20 s for nodes that are gone, and stops
the workers of a run for room that may have been taken by then, at whatever step they are.
"""

import os
import time
from typing import Any

import ray
from ray.train import ScalingConfig
from ray.train.v2._internal.constants import WORKER_GROUP_START_TIMEOUT_S_ENV_VAR
from ray.train.v2._internal.execution.scaling_policy import (
    NoopDecision,
    ResizeDecision,
    ScalingDecision,
    ScalingPolicy,
)

from holdfast.jobs.machines import Node, count_places, look_at_nodes

LOOK_SECONDS = 0.5
SETTLE_SECONDS = 2.0
"""With fewer than at most a run begins only after that: what was let go may still count as taken."""
START_SECONDS = "5"
"""So long a new group waits for its places, which others may have taken; then they are counted again."""
RUNS = 3
"""Times the interval of resizing that a group runs at least: no more of it is spent on starting."""
NODE = "ray.io/node-id"
"""The label that every node has."""


class ElasticPolicy(ScalingPolicy):
    """Lives in the controller of Ray Train, which asks it several times a second.

    Room for more workers is used once it has lasted, and a checkpoint has been written for the purpose; with
    fewer the run goes on as soon as some are lost. Nodes that announce their end are not counted, nor those
    that do not answer, though Ray has not missed them yet.

    Args:
        host: the run's, that has checkpoints made.
        asks: whether there may be an autoscaler, to be asked for room for all workers.
    """

    def __init__(self, scaling_config: ScalingConfig, host: Any, asks: bool) -> None:
        super().__init__(scaling_config)
        self._asks = asks
        self._checkpoint = FreshCheckpoint(host)
        self._silent: list[str] = []
        self._stands_since: float | None = None
        self._room_since: float | None = None
        self._looked = -LOOK_SECONDS

    def make_decision_for_non_running_worker_group(self) -> ScalingDecision:
        self._ask()
        now = time.monotonic()
        self._stands_since = self._stands_since or now
        nodes = look_at_nodes()
        there = [node for node in nodes if node.answers()]
        room = self._room(there)
        least, most = self.scaling_config.min_workers, self.scaling_config.max_workers
        if room < least or (room < most and now - self._stands_since < SETTLE_SECONDS):
            # The controller asks again at once.
            time.sleep(LOOK_SECONDS)
            return NoopDecision()
        self._silent = [node.id for node in nodes if node not in there]
        return self._start(room)

    def make_decision_for_running_worker_group(
        self, worker_group_state: Any, worker_group_status: Any
    ) -> ScalingDecision:
        self._ask()
        self._stands_since = None
        now, interval = time.monotonic(), self.scaling_config.elastic_resize_monitor_interval_s
        size = worker_group_state.num_workers
        young = now - worker_group_state.start_time < RUNS * interval
        if size >= self.scaling_config.max_workers or young or now - self._looked < LOOK_SECONDS:
            return NoopDecision()
        self._looked = now
        nodes = look_at_nodes()
        room = self._room(nodes)
        if room <= size:
            self._room_since = None
            self._checkpoint.forget()
            return NoopDecision()
        self._room_since = self._room_since or now
        if now - self._room_since < interval or not self._checkpoint.is_there():
            return NoopDecision()
        self._silent = []
        return self._start(room)

    def on_controller_start_worker_group(
        self, *, scaling_config: ScalingConfig, num_workers: int
    ) -> dict[str, str] | None:
        """Keeps Ray from placing workers where nobody answers."""
        return {NODE: f"!in({','.join(self._silent)})"} if self._silent else None

    def after_controller_start(self, train_run_context: Any) -> None:
        # Read where this runs, whenever a group is made.
        os.environ.setdefault(WORKER_GROUP_START_TIMEOUT_S_ENV_VAR, START_SECONDS)
        if self._asks:
            super().after_controller_start(train_run_context)

    def _get_num_workers_for_resource_request(self) -> int:
        most: int = self.scaling_config.max_workers
        return most

    def _ask(self) -> None:
        if self._asks:
            self._maybe_send_resource_request()

    def _room(self, nodes: list[Node]) -> int:
        each = self.scaling_config._resources_per_worker_not_none
        found = count_places([node.room for node in nodes], each, self.scaling_config.placement_strategy)
        return int(min(found, self.scaling_config.max_workers))

    def _start(self, workers: int) -> ResizeDecision:
        self._stands_since = self._room_since = None
        self._checkpoint.forget()
        return ResizeDecision(workers, self.scaling_config._resources_per_worker_not_none)


class FreshCheckpoint:
    """A checkpoint that is made because somebody asks for it, without waiting for it in any call."""

    def __init__(self, host: Any) -> None:
        self._host = host
        self.forget()

    def forget(self) -> None:
        """The next question is about another one."""
        self._answer: Any = None
        self._before: int | None = None

    def is_there(self) -> bool:
        """Asks for it at the first call."""
        if self._answer is None:
            asked = self._host.ask_for_checkpoint if self._before is None else self._host.count_checkpoints
            self._answer = asked.remote()
        if not ray.wait([self._answer], timeout=0)[0]:
            return False
        count, self._answer = ray.get(self._answer), None
        if self._before is None:
            self._before = count
        return bool(count > self._before)
