"""A sweep whose trials run on the machines of the cluster."""

from collections import Counter

from experiments.benchmarks.nodes.learning import EXPERIMENT
from experiments.benchmarks.nodes.room import Room
from experiments.benchmarks.nodes.steps import Step

SMALLER = ("name=nodes-sweep", "stream.tasks=2", "learning.epochs=1")


def sweep(step: Step, room: Room, trials: int) -> None:
    changes = [word for change in SMALLER for word in ("--set", change)]
    options = ("--store", "$HOLDFAST_STORE", "-o", "/tmp/home/best.yaml")
    job = room.submit("tune", EXPERIMENT, *changes, *options).require()
    ended = job.said(rf"^trial \d+/{trials}  objective .* on (\S+?)(?:,|  )")
    places = Counter(found[1] for found in ended)
    step.note(trials=len(ended), on=dict(places))
    step.check(f"all {trials} trials have finished", len(ended) == trials)
    step.check("both workers had some of them", set(places) == {each.name for each in room.workers})
    step.check("the best experiment is written", room.head.path("tmp/home/best.yaml").is_file())
