"""What a user gets wrong with a cluster: refused in a sentence that says what to do, before any work."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

from experiments.benchmarks.nodes.learning import EXPERIMENT, weights_of
from experiments.benchmarks.nodes.machine import Machine
from experiments.benchmarks.nodes.room import Room
from experiments.benchmarks.nodes.steps import Step

HEADS = ("--store", "$HOLDFAST_STORE")
CHANGED = "tmp/home/changed"
OTHER = "0.0.9"
REFUSED = 2


def refuse(step: Step, room: Room) -> None:
    before = weights_of(room)
    _expect(
        step,
        "a secret in the store's URL",
        room,
        ("run", EXPERIMENT, "--store", "postgresql://me:hidden@db/photos"),
        r"holds a secret.*\$HOLDFAST_STORE",
    )
    _expect(
        step,
        "a secret's value on the command line",
        room,
        ("run", EXPERIMENT, *HEADS),
        r"AWS_SECRET_ACCESS_KEY holds a secret.*--env AWS_SECRET_ACCESS_KEY",
        options=("--env", "AWS_SECRET_ACCESS_KEY=hidden"),
    )
    _expect(
        step,
        "a store that only the desk reaches",
        room,
        ("run", EXPERIMENT, "--store", "postgresql://me@127.0.0.1:1/photos", "--artifacts", room.artifacts),
        r"127\.0\.0\.1.* So it is on head, where the job ran.*has to be reached",
    )
    _expect(
        step,
        "files of a store that the workers do not reach",
        room,
        ("tune", EXPERIMENT, "--store", "/tmp/home/store", "-o", "/tmp/home/other.yaml"),
        r"is not reached from worker1, worker2.*s3://",
    )
    file = Path(str(find_spec("ray").origin)).with_name("_version.py")  # type: ignore[union-attr]
    with_ray = file.read_text().replace('version = "', 'version = "1.')
    with _changed(room.desk, file, with_ray):
        _expect(
            step,
            "another Ray at the desk",
            room,
            ("run", EXPERIMENT, *HEADS),
            r"this machine Ray 1\.\d.*install",
        )
    file = _metadata()
    with_release = re.sub(r"(?m)^Version: .*$", f"Version: {OTHER}", file.read_text(), count=1)
    for machine, said in (
        (room.desk, rf"Holdfast {OTHER} submitted this job.*install"),
        (room.workers[1], rf"The machine worker2 has Holdfast {OTHER}.*install"),
    ):
        with _changed(machine, file, with_release):
            fresh = ("run", EXPERIMENT, *HEADS, "--set", "name=refused")
            _expect(step, f"another Holdfast on {machine.name}", room, fresh, said)
    step.check("nothing was published", weights_of(room) == before)


def _expect(
    step: Step, what: str, room: Room, words: Sequence[str], said: str, options: Sequence[str] = ()
) -> None:
    job = room.submit(*words, options=options)
    lines = [line for _, line in job.lines if line.startswith("error:")]
    step.note(**{what.replace(" ", "_"): f"{job.seconds:.0f} s: {' '.join(lines)}"})
    held = job.code == REFUSED and re.search(said, " ".join(lines)) is not None
    step.check(f"{what}: refused in a sentence", held and "hidden" not in job.text)


@contextmanager
def _changed(machine: Machine, file: Path, text: str) -> Iterator[None]:
    """A file of what is installed reads otherwise on this machine, as long as the block lasts."""
    machine.path(CHANGED).write_text(text)
    machine.answer("mount", "--bind", f"/{CHANGED}", str(file))
    try:
        yield
    finally:
        machine.answer("umount", str(file))


def _metadata() -> Path:
    """The file that says which release of Holdfast is installed."""
    installed = distribution("holdfast")
    return next(Path(str(file.locate())) for file in installed.files or () if file.name == "METADATA")
