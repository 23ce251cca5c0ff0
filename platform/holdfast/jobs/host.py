"""The run's host: an actor on the driver's node that keeps the store, the checkpoints and the progress.

Workers never open the database and need no shared file system: versions and checkpoints reach the driver's
node through Ray's object store. SQLite therefore serves any cluster on which the driver stays on one node.
"""

import io
import os
import time
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import ray
import torch
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from holdfast.base import HoldfastError
from holdfast.config import Experiment
from holdfast.jobs.elastic import Wishes
from holdfast.jobs.runtime import work_in
from holdfast.learning import Ancestor, Learned, Progress, Ranks, State
from holdfast.runs import (
    PatientPublisher,
    RunCheckpoints,
    find_base,
    load_datasets,
    open_publisher,
    patiently,
    require_run,
)
from holdfast.store import open_store

OVERDUE_SECONDS = 10.0
SHARE = 0.05
"""A checkpoint is due after so many seconds as well, or later, if it took more than this share of them."""


class RunHost:
    """What the workers of one run talk to. Plain class; `start_host` makes it an actor."""

    def __init__(
        self,
        experiment: dict[str, Any],
        place: tuple[str, str],
        folder: str,
        epoch: int,
        publish_anyway: bool = False,
    ) -> None:
        work_in(folder)
        torch.set_num_threads(1)
        self._experiment = Experiment.model_validate(experiment)
        self._store = open_store(*place)
        run = self._store.runs.get(self._experiment.name)
        still_ours = partial(patiently, partial(require_run, self._store, run.name, epoch))
        data = load_datasets(self._experiment, base=find_base(self._store, self._experiment))
        self._publisher = PatientPublisher(
            open_publisher(self._store, self._experiment, run, data, still_ours, publish_anyway)
        )
        self._checkpoints = RunCheckpoints(self._store, run, still_ours)
        self._progress: deque[Progress] = deque(maxlen=1024)
        self._mistake: HoldfastError | None = None
        self._wishes = Wishes()
        self._controller: Any = None

    def parent(self) -> Ancestor | None:
        return self._publisher.parent()

    def gallery_sample(self) -> np.ndarray | None:
        return self._publisher.gallery_sample()

    def publish(self, learned: Learned) -> str:
        return self._publisher.publish(learned)

    def latest_checkpoint(self) -> bytes | None:
        state = self._checkpoints.latest()
        return _pack(state) if state is not None else None

    def save_checkpoint(self, packed: bytes) -> None:
        self._checkpoints.save(_unpack(packed))
        self._wishes.saved()

    def ask_for_checkpoint(self) -> int:
        """Tell the workers with the answer to what they report next. Returns how many there are so far."""
        return self._wishes.ask()

    def count_checkpoints(self) -> int:
        return self._wishes.count

    def watch(self, progress: Progress) -> bool:
        """Takes a report; whether a checkpoint is wanted before it is due."""
        self._progress.append(progress)
        return self._wishes.wanted

    def meet(self, controller: Any) -> None:
        """This actor is Ray Train's controller of the run."""
        self._controller = controller

    def controller(self) -> Any:
        return self._controller

    def enter(self, state: str) -> None:
        """The controller is in this state now; see `TellsHost`."""
        self._wishes.enter(state)

    def state(self) -> str:
        """That of the controller; empty before its first change."""
        return self._wishes.state

    def fail(self, mistake: HoldfastError) -> None:
        """A worker met a mistake of the user's; the driver will raise it."""
        self._mistake = mistake

    def mistake(self) -> HoldfastError | None:
        return self._mistake

    def drain(self) -> list[Progress]:
        """The progress since the last call, oldest first."""
        seen = list(self._progress)
        self._progress.clear()
        return seen


def start_host(
    experiment: Experiment, place: tuple[str, str], epoch: int, publish_anyway: bool = False
) -> Any:
    """Start the run's host on this process's node; returns the actor's handle.

    Args:
        place: the store's.
        epoch: of the lock by which this process holds the run.
        publish_anyway: publish also what is surely worse than doing nothing.
    """
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor = ray.remote(num_cpus=0, max_concurrency=1)(RunHost)
    return actor.options(scheduling_strategy=here).remote(
        experiment.model_dump(mode="json"), place, os.getcwd(), epoch, publish_anyway
    )


@dataclass(frozen=True)
class RemotePublisher:
    """The host's publisher, as a worker sees it."""

    host: Any

    def parent(self) -> Ancestor | None:
        parent: Ancestor | None = _answer(self.host.parent.remote())
        return parent

    def gallery_sample(self) -> np.ndarray | None:
        sample: np.ndarray | None = _answer(self.host.gallery_sample.remote())
        return sample

    def publish(self, learned: Learned) -> str:
        version: str = _answer(self.host.publish.remote(learned))
        return version


@dataclass
class RemoteCheckpoints:
    """The host's checkpoints, as a worker sees them. Rank 0 writes, when it is told to; everybody reads."""

    host: Any
    ranks: Ranks
    _report: Any = None
    _saved_at: float = field(default_factory=time.monotonic)
    _took: float = 0.0

    def latest(self) -> State | None:
        packed: bytes | None = _answer(self.host.latest_checkpoint.remote())
        return _unpack(packed) if packed is not None else None

    def save(self, state: State) -> None:
        if self.ranks.rank == 0:
            started = time.monotonic()
            _answer(self.host.save_checkpoint.remote(_pack(state)))
            self._saved_at = time.monotonic()
            self._took = self._saved_at - started

    def watch(self, progress: Progress) -> None:
        """Reports to the host, which may answer that it wants a checkpoint."""
        if self.ranks.rank == 0:
            report = self.host.watch.remote(progress)
            if self._report is None:
                self._report = report

    def wanted(self) -> bool:
        """Whether rank 0 is to save before it is due. Waits for nobody."""
        if self.ranks.rank:
            return False
        if time.monotonic() - self._saved_at > max(OVERDUE_SECONDS, self._took / SHARE):
            return True
        if self._report is None or not ray.wait([self._report], timeout=0)[0]:
            return False
        wanted, self._report = bool(_answer(self._report)), None
        return wanted


def _answer(reference: Any) -> Any:
    """What the host says. A user's mistake is raised as itself: Ray's own wrapping shows a traceback."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, HoldfastError):
            raise error.cause from None
        raise


def _pack(state: State) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def _unpack(packed: bytes) -> State:
    state: State = torch.load(io.BytesIO(packed), map_location="cpu", weights_only=True)
    return state
