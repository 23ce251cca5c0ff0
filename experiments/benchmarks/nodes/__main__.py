"""A head and two workers that share no file: learned on, swept over, embedded by, served from, and hit.

    python -m experiments.benchmarks.nodes                      # the whole story: a quarter hour, two cores
    python -m experiments.benchmarks.nodes --only serving       # learn undisturbed, and one of its parts
    python -m experiments.benchmarks.nodes --quick              # less of all: does it run at all?

Each machine has network, mounts, processes and name of its own on this host, which takes root, iproute2 and
util-linux; the store is a PostgreSQL (apt-get install postgresql) and S3 by moto's server (pip install
'moto[server]'). Omniglot comes from HOLDFAST_DATA and is put into S3: no machine has a file of it. One of
them loses power in the middle of a task, the driver is killed, and in the end the SHA-256 of all weights are
compared with those of one machine. The steps are written to experiments/results/nodes/nodes.json, or below
--results; the exit code is 1 unless all held. --keep leaves what the machines wrote.
"""

import argparse
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from rich.console import Console

from experiments.benchmarks.harness.command import run_command
from experiments.benchmarks.harness.context import current_commit, describe_context
from experiments.benchmarks.harness.places import RESULTS
from experiments.benchmarks.nodes.data import data_folder, experiment, upload
from experiments.benchmarks.nodes.embedding import embed
from experiments.benchmarks.nodes.learning import (
    Weights,
    learn_alone,
    learn_on_nodes,
    learn_undisturbed,
)
from experiments.benchmarks.nodes.machine import share_nothing
from experiments.benchmarks.nodes.network import require_means
from experiments.benchmarks.nodes.refusals import refuse
from experiments.benchmarks.nodes.room import Room, open_room
from experiments.benchmarks.nodes.serving import serve
from experiments.benchmarks.nodes.steps import Steps
from experiments.benchmarks.nodes.sweeping import sweep

PARTS = ("learning", "sweeping", "embedding", "serving", "refusals")
KEPT = RESULTS / "nodes"


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    tasks: int = 3
    epochs: int = 4
    trials: int = 6
    photos: int = 20_000


QUICK = Size(tasks=1, epochs=1, trials=2, photos=10_000)


def tell(room: Room, steps: Steps, size: Size, parts: Sequence[str]) -> None:
    """The story. Raises what a step raises without which no other can be taken."""
    text = yaml.safe_dump(experiment(size.tasks, size.epochs, size.trials), sort_keys=False)
    version = f"v{size.tasks}"
    with steps.step("images to the object storage") as step:
        image = upload(room.reach, size.photos)
        step.note(photos=size.photos)
    room.desk.start()
    alone: Weights = {}
    if "learning" in parts:
        with steps.step("one machine, two workers") as step:
            alone = learn_alone(step, room, text, workers=2)
        with steps.step("one machine, one process") as step:
            step.note(same_weights_as_two_workers=learn_alone(step, room, text, workers=0) == alone)
    with steps.step("the cluster") as step:
        for machine in (room.head, *room.workers):
            room.start(machine)
        share_nothing(step, [room.desk, room.head, *room.workers], data_folder())
    if "learning" in parts:
        with steps.step("learn on two workers, hit twice") as step:
            learn_on_nodes(step, room, text, alone)
    else:
        with steps.step("learn on two workers") as step:
            learn_undisturbed(step, room, text)
    if "sweeping" in parts:
        with steps.step("sweep") as step:
            sweep(step, room, size.trials)
    if "embedding" in parts or "serving" in parts:
        with steps.step("embed into the gallery") as step:
            embed(step, room, version, size.photos)
    if "serving" in parts:
        with steps.step("serve on two machines, one is lost") as step:
            serve(step, room, version, image)
    if "refusals" in parts:
        with steps.step("refused before work") as step:
            refuse(step, room)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", action="append", choices=PARTS, help="some parts; the machines are always there"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes; no figure means anything then")
    parser.add_argument("--results", type=Path, help="another folder for the results")
    parser.add_argument("--keep", action="store_true", help="leave what the machines wrote")
    chosen = parser.parse_args()
    console = Console(stderr=True)
    try:
        require_means()
        hidden = data_folder()
    except OSError as error:
        console.print(str(error), soft_wrap=True, markup=False)
        return 2
    results = chosen.results or (KEPT / "quick" if chosen.quick else KEPT)
    steps = Steps(results, {**describe_context(chosen.quick), "commit": current_commit()}, console)
    folder = Path(tempfile.mkdtemp(prefix="holdfast-nodes-"))
    try:
        with open_room(folder, hidden) as room:
            os.environ.update(room.reach)
            tell(room, steps, QUICK if chosen.quick else Size(), chosen.only or PARTS)
    except Exception as error:
        console.print(f"It ended here: {error}", style="red", soft_wrap=True, markup=False)
    finally:
        if chosen.keep:
            console.print(f"What the machines wrote: {folder}", soft_wrap=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    Console(highlight=False, width=120).print(steps.table())
    print(json.dumps(steps.as_dict(), default=str))
    return 0 if steps.are_good else 1


if __name__ == "__main__":
    run_command(main)
