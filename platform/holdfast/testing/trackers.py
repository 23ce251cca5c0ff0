"""What every tracker keeps to."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from holdfast.tracking import (
    AnyTrackerConfig,
    Begun,
    Ended,
    Event,
    Pair,
    Stepped,
    TaskEnded,
    Tracker,
    TrackerConfig,
    TrialBegun,
    TrialEnded,
    TrialReported,
    VersionPublished,
    tell,
)

STEPS = 4
"""Of each task."""


def tracked_run(folder: Path, tasks: Sequence[int] = (0, 1)) -> Iterator[Event]:
    """What a run of two tasks tells; with one of them, a process that learned no more, or went on with it."""
    experiment = {
        "name": "photos",
        "seed": 0,
        "learning": {"epochs": 2, "augment": {"flip": True}},
        "regularizers": [{"kind": "pull", "weight": 2.5}, {"kind": "acme.parts:Push", "weight": 1.0}],
        "parent": None,
    }
    about = {"store": str(folder), "fingerprint": "0123456789abcdef", "holdfast": "0.1.0"}
    place = folder / "runs" / "photos" / "tracking"
    yield Begun("a" * 32, "run", "photos", 1, experiment, about, place, folder / "runs")
    for task in tasks:
        for step in range(1, STEPS + 1):
            terms = {"classification": 3.0 / step, "acme.parts:Push": 0.5}
            at = task * STEPS + step
            yield Stepped(task, at, (step - 1) // 2, terms, 100.0, step == STEPS)
        yield from published(folder, task)
    yield Ended("finished" if 1 in tasks else "interrupted", None if 1 in tasks else "somebody stopped it")


def published(folder: Path, task: int) -> Iterator[Event]:
    """What is told of a task once it is a version; it has files."""
    name, step = f"v{task + 1}", (task + 1) * STEPS
    files = folder / "artifacts" / name
    files.mkdir(parents=True, exist_ok=True)
    (files / "weights.safetensors").write_bytes(bytes([task]) * 16)
    figures = {"images": 64.0, "images_per_second": 100.0, "epoch_loss/classification": 0.75}
    yield TaskEnded(task, f"cups {task}", name, step, figures)
    pair = Pair("v1", 60.0, 50.0, 4.0, 16.0, True, "adapter")
    measured = {"self/recall_at_1": 70.0 + task, "self/map_at_r": 40.0}
    yield VersionPublished(
        name=name,
        task=task,
        step=step,
        contract=f"hf1-{task:016}",
        parent="v1" if task else None,
        kind="trained",
        dimension=16,
        store=str(files),
        figures=measured | ({"cross/v1": 60.0, "ac": 1.0} if task else {}),
        pairs=[pair] if task else [],
        files=lambda: files,
    )


def tracked_sweep(folder: Path) -> Iterator[Event]:
    """What a sweep of three trials tells, of which one fails, and two go on at the same time."""
    begun = next(tracked_run(folder))
    assert isinstance(begun, Begun)
    yield replace(begun, key="b" * 32, verb="tune")
    values: list[dict[str, Any]] = [
        {"seed": 1, "model.head": {"kind": "softmax"}},
        {"seed": 2},
        {"seed": 3, "rate": 0.25},
    ]
    curves: list[list[TrialReported]] = [[], [], []]
    for number in (0, 1):
        yield TrialBegun(number, values[number])
    for tasks in (1, 2):
        for number in (0, 1):
            figures = {
                "objective": 10.0 * number + tasks,
                "self": 50.0,
                "cross": 40.0,
                "images": 64.0 * tasks,
            }
            curves[number].append(TrialReported(number, tasks, figures))
            yield curves[number][-1]
    for number in (0, 1):
        yield TrialEnded(number, values[number], "done", None, curves[number])
    yield TrialBegun(2, values[2])
    yield TrialEnded(2, values[2], "failed", "a loss became nan", [])
    yield Ended("finished", figures={"best/trial": 1.0, "best/objective": 12.0})


class TrackerContract:
    """Give it the fixture `config`."""

    @pytest.fixture
    def config(self) -> TrackerConfig:
        raise NotImplementedError("give the suite a fixture `config`")

    @pytest.fixture
    def tracker(self, config: TrackerConfig) -> Tracker:
        return config.open()

    def test_its_config_is_read_as_it_is_written(self, config: TrackerConfig) -> None:
        assert TypeAdapter(AnyTrackerConfig).validate_python(config.model_dump(mode="json")) == config

    def test_it_follows_a_run_that_is_interrupted_and_goes_on(
        self, config: TrackerConfig, tracker: Tracker, tmp_path: Path
    ) -> None:
        for event in tracked_run(tmp_path, (0,)):
            tell(tracker, event)
        again = config.open()
        begun, *others = tracked_run(tmp_path, (1,))
        tell(again, begun)
        # It is told once more of what it knows.
        for event in (*published(tmp_path, 0), *others):
            tell(again, event)

    def test_it_follows_a_sweep(self, tracker: Tracker, tmp_path: Path) -> None:
        for event in tracked_sweep(tmp_path):
            tell(tracker, event)
