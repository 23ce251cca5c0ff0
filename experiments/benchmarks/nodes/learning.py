"""A run on two machines that is hit twice, beside the same run on one machine that nothing disturbs."""

import json
import time
from itertools import pairwise
from pathlib import Path

from experiments.benchmarks.nodes.room import Job, Room
from experiments.benchmarks.nodes.steps import Step
from holdfast.store import open_store

DRIVER = "^python -m holdfast run"
EXPERIMENT = "experiment.yaml"
WORK = "tmp/home/work/"
Weights = dict[str, dict[str, str]]
"""By version: the SHA-256 of each of its files."""


def learn_alone(step: Step, room: Room, text: str, workers: int) -> Weights:
    """The whole run at the desk, on a Ray of its own, or in one process for no workers."""
    desk = room.desk
    desk.path(WORK + EXPERIMENT).write_text(text)
    store = f"/tmp/home/alone-{workers}"
    options = ("--store", store, "--workers", str(workers))
    command = ("python", "-m", "holdfast", "run", EXPERIMENT, *options, "--json")
    report = json.loads(desk.answer(*command, seconds=900, **room.reach))
    found = weights(desk.path(store))
    step.note(versions=len(found), **{f"r1_{workers}_workers": report["recall_at_1"][-1][-1]})
    return found


def learn_on_nodes(step: Step, room: Room, text: str, alone: Weights) -> None:
    """Submit; a worker's machine loses power in the middle of the second task, and comes back bare; the
    driver is killed in the third. Submitting again goes on."""
    room.desk.path(WORK + EXPERIMENT).write_text(text)
    second = room.workers[-1]
    happened: dict[str, float] = {}
    begun = time.monotonic()

    def mark(what: str) -> None:
        happened[what] = round(time.monotonic() - begun, 1)

    def lose_machine() -> None:
        mark(f"{second.name} lost")
        second.kill()
        room.start(second)
        mark(f"{second.name} back, bare")

    def kill_driver() -> None:
        mark("driver killed")
        for pid in room.head.processes(DRIVER):
            room.head.run("kill", "-KILL", str(pid))

    command = ("run", EXPERIMENT, "--store", "$HOLDFAST_STORE")
    hit = room.submit(
        *command,
        when=[(r"task 2/\d .* epoch 3/", lose_machine), (r"task 3/\d .* epoch 2/", kill_driver)],
    )
    mark("submitted again")
    step.note(longest_stop_seconds=_longest_stop(hit))
    step.check("the job whose driver was killed has failed, and says so", hit.code != 0 and _has_failed(hit))
    step.check("it had gone on by itself when the machine was back", bool(hit.said(r"task 3/\d .* epoch")))
    again = room.submit(*command)
    mark("finished")
    step.note(**{name.replace(" ", "_"): at for name, at in happened.items()})
    step.check("submitting again went on to the end", again.code == 0)
    again.require()
    step.check("it did not start over", not again.said(r"task 1/\d .* epoch"))
    found = weights_of(room)
    step.note(sha256={name: next(iter(files.values()))[:12] for name, files in found.items()})
    step.check("the weights of all versions are those of one machine, bit by bit", found == alone)


def learn_undisturbed(step: Step, room: Room, text: str) -> None:
    """The same run, where it is only needed for what comes after it."""
    room.desk.path(WORK + EXPERIMENT).write_text(text)
    room.submit("run", EXPERIMENT, "--store", "$HOLDFAST_STORE").require()
    step.note(versions=len(weights_of(room)))


def weights(store: Path | str, artifacts: str | None = None) -> Weights:
    with open_store(store, artifacts) as opened:
        return {
            version.name: {name: digest for name, digest in version.files.items() if "safetensors" in name}
            for version in opened.versions.list()
        }


def weights_of(room: Room) -> Weights:
    """Those that the database of the cluster records, with their files in its object storage."""
    return weights(room.store, room.artifacts)


def _has_failed(job: Job) -> bool:
    return bool(job.said(r"^Job \S+ has FAILED"))


def _longest_stop(job: Job) -> float:
    """Seconds between two lines of an epoch, at most."""
    times = [at for at, line in job.lines if " epoch " in line]
    return round(max((after - before for before, after in pairwise(times)), default=0), 1)
