"""What trackers are told of a run: from what the learner says, and from what is then in the store."""

import hashlib
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version as installed_version
from typing import Any, Literal

from holdfast.base import StoreError, hide_in_url, hide_secrets, load_yaml
from holdfast.config import Experiment
from holdfast.learning import PUBLISHED, Progress, Watcher
from holdfast.runs.run_folder import RunFolder
from holdfast.store import Run, Store, Version
from holdfast.tracking import (
    Begun,
    Ended,
    Pair,
    Stepped,
    TaskEnded,
    Tracking,
    VersionPublished,
)

Verb = Literal["run", "distill", "tune"]
FOLDER = "tracking"
"""In the run's folder: what trackers keep."""
_METRICS = ("recall_at_1", "recall_at_5", "map_at_r")


@contextmanager
def tracked(store: Store, experiment: Experiment, run: Run, verb: Verb, watch: Watcher) -> Iterator[Watcher]:
    """While the block lasts, the experiment's trackers follow the run by the watcher that it yields, beside
    `watch`. Nothing that a tracker does reaches the run.

    Raises ConfigError where a library is not installed.
    """
    if not experiment.tracking:
        yield watch
        return
    tracking = Tracking(experiment.tracking)
    with telling(tracking, store, experiment, verb, run.attempt):
        yield _Follower(store, run, tracking, watch)


@contextmanager
def telling(
    tracking: Tracking, store: Store, experiment: Experiment, verb: Verb, attempt: int, key: str = ""
) -> Iterator[dict[str, float]]:
    """Tells trackers how a run begins and how it ends.

    Args:
        key: tells it from others of the same name and attempt.

    Yields a dictionary for figures that its end is told with.
    """
    files = RunFolder(store, experiment.name)
    whole = f"{store.origin()} {verb} {experiment.name} {attempt} {key}"
    about = {
        "store": hide_in_url(store.location),
        "fingerprint": experiment.fingerprint,
        "holdfast": installed_version("holdfast"),
    }
    values: Mapping[str, Any] = load_yaml(hide_secrets(experiment.to_yaml()))
    digest = hashlib.sha256(whole.encode()).hexdigest()[:32]
    folder, shared = files.path / FOLDER, store.runs_folder
    tracking.tell(Begun(digest, verb, experiment.name, attempt, values, about, folder, shared))
    figures: dict[str, float] = {}
    try:
        yield figures
    except BaseException as error:
        interrupted = isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit)
        said = " ".join(str(error).split()) or type(error).__name__
        tracking.tell(Ended("interrupted" if interrupted else "failed", hide_secrets(said), figures))
        raise
    else:
        tracking.tell(Ended("finished", figures=figures))
    finally:
        try:
            files.copy_out(FOLDER)
        except StoreError as error:
            warnings.warn(f"What trackers kept in {folder} stays on this machine: {error}", stacklevel=2)


@dataclass
class _Follower:
    """A watcher that tells trackers, and then whoever watched before."""

    store: Store
    run: Run
    tracking: Tracking
    watch: Watcher
    furthest: int = 0
    told: set[str] = field(default_factory=set)

    def __call__(self, progress: Progress) -> None:
        self.watch(progress)
        try:
            if progress.phase == PUBLISHED:
                self._tell_of(progress)
            elif progress.terms:
                self._step(progress)
        # The run does not depend on it.
        except Exception as error:
            warnings.warn(f"The trackers were not told of {progress.phase}: {error}", stacklevel=2)

    def _step(self, progress: Progress) -> None:
        step = progress.before + progress.step
        # A worker that was lost goes on from the last checkpoint.
        if step <= self.furthest:
            return
        self.furthest = step
        speed, last = progress.images_per_second, progress.step == progress.steps
        self.tracking.tell(Stepped(progress.task, step, progress.epoch, progress.terms, speed, last))

    def _tell_of(self, progress: Progress) -> None:
        if progress.version in self.told:
            return
        self.told.add(progress.version)
        version, step = self.store.versions.get(progress.version), progress.before
        figures = _task_figures(version)
        self.tracking.tell(TaskEnded(progress.task, progress.name, version.name, step, figures))
        self.tracking.tell(
            VersionPublished(
                name=version.name,
                task=progress.task,
                step=step,
                contract=version.contract,
                parent=version.parent,
                kind=version.kind,
                dimension=version.dimension,
                store=self.store.artifacts.place(version.artifacts),
                figures=_version_figures(self.store, self.run, version),
                pairs=_pairs(self.store, version),
                files=partial(self.store.versions.model_folder, version.name),
            )
        )


def _task_figures(version: Version) -> dict[str, float]:
    metrics = version.metrics
    found: dict[str, float] = {
        name: float(metrics[name]) for name in ("images", "images_per_second") if name in metrics
    }
    phases: Mapping[str, float] = metrics.get("seconds", {})
    found |= {f"seconds/{phase}": float(value) for phase, value in phases.items()}
    history = metrics.get("history") or [{}]
    return found | {f"epoch_loss/{name}": float(value) for name, value in history[-1].items()}


def _version_figures(store: Store, run: Run, version: Version) -> dict[str, float]:
    """What the run's report says of a version."""
    report = RunFolder(store, run.name).report(store.versions.list())
    if report is None or version.name not in report["versions"]:
        return {}
    at = report["versions"].index(version.name)
    found: dict[str, float | None] = {}
    for metric in _METRICS:
        rows = report.get(metric) or []
        found[f"self/{metric}"] = rows[at][at] if at < len(rows) else None
    for number, older in enumerate(report["versions"][:at]):
        found[f"cross/{older}"] = report["recall_at_1"][at][number]
    if at + 1 == len(report["versions"]):
        found |= {name: report.get(name) for name in ("ac", "am")}
    return {name: float(value) for name, value in found.items() if value is not None}


def _pairs(store: Store, version: Version) -> list[Pair]:
    """How it was measured to search the entries of others, in percent."""
    return [
        Pair(row.gallery, row.value, row.reference, row.low, row.high, row.compatible, row.way)
        for row in store.compatibility.list()
        if row.query == version.name and row.gallery != version.name
    ]
