"""A run from which a machine is taken, to which one is added, and of which one announces its end.

    python -m experiments.benchmarks.learning.elastic             # some minutes
    python -m experiments.benchmarks.learning.elastic --quick     # a tiny network

Starts a Ray cluster of two nodes on this machine, with room for one worker each, and learns on them with
`scaling.workers: {min: 1, max: 2}`. Then, one after the other, each once the run has gone on:

- SIGKILL hits all processes of the second node,
- a third node joins,
- that one announces its end, as a cloud does that takes a machine back, and is killed at that moment.

A stop is a time in which nothing new is learned: until the run is further than it was before, so that what it
repeats counts as well. The same experiment is learned by one process that nobody disturbs, and the self-tests
of the last versions are compared query by query. The last line is JSON; the exit code is 1 where a stop is
longer than 30 s, or the self-tests differ by more than chance. The quick form ends with the last of these
events, and compares nothing.
"""

import argparse
import contextlib
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from experiments.benchmarks.harness.command import run_command
from experiments.benchmarks.harness.places import EXPERIMENTS
from experiments.benchmarks.harness.raylets import Raylets, raylets
from holdfast.config import Experiment, load_experiment
from holdfast.evaluation import bootstrap
from holdfast.learning import Progress
from holdfast.runs import load_datasets
from holdfast.store import open_store

STOP_SECONDS = 30.0
CPUS = 2
"""Of each node and of each worker, as Ray counts them."""
WAIT_SECONDS = 240.0
SETTINGS = [f"scaling.resources_per_worker.CPU={CPUS}", "stream.validation=0.1"]
QUICK = [
    *("data.source=glyphs:?classes=90&instances=8", "model.width=0.25", "model.dimension=32"),
    *("learning.batch_size=32", "learning.epochs=100000", "stream.shares=null", "stream.tasks=1"),
    *("learning.checkpoint_steps=1000000", "scaling.resize_seconds=1"),
]
WHOLE = [
    *("data.source=glyphs:?classes=270&instances=10", "model.width=0.25", "model.dimension=64"),
    *("learning.batch_size=64", "stream.shares=null", "stream.tasks=2", "scaling.resize_seconds=3"),
]


class OverError(Exception):
    """All was done to the run that was to be."""


@dataclass
class Watched:
    """What a run has said, and when.

    Attributes:
        over: ends the run.
    """

    over: threading.Event = field(default_factory=threading.Event)
    begun: float = field(default_factory=time.monotonic)
    reports: list[tuple[float, int, int]] = field(default_factory=list)
    """Seconds, task, step."""
    said: list[tuple[float, str]] = field(default_factory=list)

    def __call__(self, progress: Progress) -> None:
        if self.over.is_set():
            raise OverError
        now = time.monotonic() - self.begun
        if progress.phase == "learning":
            self.reports.append((now, progress.task, progress.step))
        elif not self.said or self.said[-1][1] != progress.phase:
            self.said.append((now, progress.phase))
            print(f"{now:6.1f} s  {progress.phase}", file=sys.stderr, flush=True)

    def workers(self) -> list[int]:
        """How many there were, one number for each group that began."""
        words = [phase.split() for _, phase in self.said]
        return [int(word[2]) for word in words if word[:2] == ["learning", "on"]]

    def stops(self, seconds: float) -> list[dict[str, float]]:
        """Where nothing new was learned for so long or longer: `at` which second, for how many `seconds`, of
        which the run said nothing for `silent`; and how many steps it took once more."""
        found = []
        furthest, when = (0, 0), None
        silence, repeated, last = 0.0, 0, 0.0
        for now, task, step in self.reports:
            if when is not None:
                silence = max(silence, now - last)
                repeated = max(repeated, furthest[1] - step if task == furthest[0] else 0)
            last = now
            if (task, step) > furthest:
                if when is not None and now - when >= seconds:
                    stop = {"at": when, "seconds": now - when, "silent": silence, "steps_again": repeated}
                    found.append({name: round(value, 1) for name, value in stop.items()})
                furthest, when, silence, repeated = (task, step), now, 0.0, 0
        return found


def learn(experiment: Experiment, folder: Path, watch: Callable[[Progress], None]) -> None:
    from holdfast.jobs import run_experiment

    with open_store(folder) as store:
        run_experiment(store, experiment, watch, publish_anyway=True)


class Disturber:
    """Kills, adds and drains, in a thread of its own, as the run goes on."""

    def __init__(
        self, cluster: Raylets, second: int, watched: Watched, checkpoints: Path, drain: int
    ) -> None:
        self._cluster, self._second, self._watched = cluster, second, watched
        self._checkpoints, self._drain = checkpoints, drain
        self.happened: list[tuple[float, str]] = []
        self.checkpoint_seconds: float | None = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self, then: Callable[[], None]) -> None:
        """`then` is called in the end."""
        self._then = then
        self._thread.start()

    def join(self) -> None:
        """Raises what went wrong, and RuntimeError where the run was over too soon."""
        self._thread.join(5)
        if self.error is not None:
            raise self.error
        if self._thread.is_alive():
            raise RuntimeError("the run was over before all was done to it: take more epochs")

    def _run(self) -> None:
        try:
            self._disturb()
        except BaseException as error:
            self.error = error
            self._watched.over.set()

    def _disturb(self) -> None:
        self._learned_on([2])
        self._say("the second node is killed")
        self._cluster.kill(self._second)
        self._learned_on([2, 1])
        before = _nodes()
        third = self._cluster.start(CPUS)
        self._say("a third node has joined")
        self._learned_on([2, 1, 2])
        (new,) = _nodes() - before
        self._say(f"the third node announces its end in {self._drain} s")
        self._cluster.announce_end(new, self._drain)
        announced = time.time()
        while time.time() < announced + self._drain:
            time.sleep(0.1)
            newest = max(file.stat().st_mtime for file in self._checkpoints.glob("checkpoint-*.pt"))
            if self.checkpoint_seconds is None and newest > announced:
                self.checkpoint_seconds = newest - announced
        self._say("it is killed")
        self._cluster.kill(third)
        self._learned_on([2, 1, 2, 1])
        self._then()

    def _learned_on(self, workers: Sequence[int]) -> None:
        """Wait for such groups to have begun, and for the last of them to have learned for some seconds."""
        self._wait(lambda: self._watched.workers()[: len(workers)] == list(workers))
        seen = len(self._watched.reports)
        self._wait(lambda: len(self._watched.reports) > seen + 8)

    def _wait(self, met: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not met():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{WAIT_SECONDS:.0f} s have passed; groups: {self._watched.workers()}")
            time.sleep(0.1)

    def _say(self, what: str) -> None:
        now = time.monotonic() - self._watched.begun
        self.happened.append((now, what))
        print(f"{now:6.1f} s  {what}", file=sys.stderr, flush=True)


def _nodes() -> set[str]:
    import ray

    return {node["NodeID"] for node in ray.nodes() if node["Alive"]}


def self_test(experiment: Experiment, folder: Path) -> tuple[str, np.ndarray]:
    """The last version, and for each query whether its nearest neighbour is of its class, float64 (q,)."""
    evaluation = load_datasets(experiment).evaluation
    with open_store(folder) as store:
        name = store.versions.list()[-1].name
        model = store.versions.load(name)
    scores = model.embed(evaluation.queries.images) @ model.embed(evaluation.gallery.images).T
    found = evaluation.gallery.labels[scores.argmax(1)]
    return name, (found == evaluation.queries.labels).astype(float)


def disturb(
    experiment: Experiment, folder: Path, cluster: Raylets, drain: int, quick: bool
) -> dict[str, Any]:
    """Learn while all that happens; returns what a run of it shows by itself."""
    cluster.start(CPUS)
    second = cluster.start(CPUS)
    os.environ.update(cluster.environment)
    watched = Watched()
    checkpoints = folder / "runs" / experiment.name / "checkpoints-1"
    disturber = Disturber(cluster, second, watched, checkpoints, drain)
    disturber.start(watched.over.set if quick else lambda: None)
    with contextlib.suppress(OverError):
        learn(experiment, folder, watched)
    seconds = time.monotonic() - watched.begun
    disturber.join()
    stops = watched.stops(2.0)
    return {
        "seconds": round(seconds, 1),
        "workers": watched.workers(),
        "happened": [[round(at, 1), what] for at, what in disturber.happened],
        "stops": stops,
        "longest_stop": max((stop["seconds"] for stop in stops), default=0.0),
        "seconds_from_announcement_to_checkpoint": disturber.checkpoint_seconds,
    }


def compare(elastic: Experiment, disturbed: Path, calm: Experiment, undisturbed: Path) -> dict[str, Any]:
    """The self-tests of the last versions of two stores."""
    version, found = self_test(elastic, disturbed)
    other, expected = self_test(calm, undisturbed)
    difference = bootstrap(100 * (found - expected))
    return {
        "versions": [version, other],
        "queries": len(found),
        "self_test": round(100 * float(found.mean()), 2),
        "self_test_undisturbed": round(100 * float(expected.mean()), 2),
        "difference": [round(value, 2) for value in (difference.low, difference.mean, difference.high)],
    }


def measure(quick: bool, epochs: int, drain: int) -> dict[str, Any]:
    chosen = [*SETTINGS, *(QUICK if quick else [*WHOLE, f"learning.epochs={epochs}"])]
    file = EXPERIMENTS / "quickstart.yaml"
    elastic = load_experiment(file, [*chosen, "scaling.workers={min: 1, max: 2}"])
    calm = load_experiment(file, [*chosen, "scaling.workers=0"])
    with tempfile.TemporaryDirectory(prefix="holdfast-elastic-") as named, raylets() as cluster:
        folder = Path(named)
        found = disturb(elastic, folder / "disturbed", cluster, drain, quick)
        if quick:
            return found
        learn(calm, folder / "calm", lambda progress: None)
        return found | compare(elastic, folder / "disturbed", calm, folder / "calm")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=70, help="of each of the two tasks")
    parser.add_argument("--announce", type=int, default=20, help="seconds from the announcement to the end")
    parser.add_argument("--quick", action="store_true", help="a tiny network, and one task")
    chosen = parser.parse_args()
    found = measure(chosen.quick, chosen.epochs, chosen.announce)
    print(json.dumps(found))
    low, _, high = found.get("difference", (0.0, 0.0, 0.0))
    return 0 if found["longest_stop"] <= STOP_SECONDS and low <= 0 <= high else 1


if __name__ == "__main__":
    run_command(main)
