"""What trackers are told. Figures are plain numbers by name; Recall and MAP are in percent."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Figures = Mapping[str, float]


@dataclass(frozen=True)
class Begun:
    """A run begins, or goes on.

    Attributes:
        key: 32 hexadecimal digits that tell it from all others, of any store; the same where it goes on.
        verb: of the command line: run, distill or tune.
        name: of the experiment; attempt: from 1 on, another one after `--fresh`.
        experiment: all keys of the experiment file with their values, secrets hidden.
        about: `fingerprint` of the experiment, `store` without a password, `holdfast`, its version.
        folder: of this run, on this machine, for what a tracker keeps; shared: of all runs of the store.
    """

    key: str
    verb: Literal["run", "distill", "tune"]
    name: str
    attempt: int
    experiment: Mapping[str, Any]
    about: Mapping[str, str]
    folder: Path
    shared: Path


@dataclass(frozen=True)
class Stepped:
    """A step of a task.

    Attributes:
        step: counted over the whole sequence, from 1 on.
        last: whether the task has no more.
        terms: the losses of the step, unweighted, by the names of their terms.
    """

    task: int
    step: int
    epoch: int
    terms: Figures
    images_per_second: float
    last: bool = False


@dataclass(frozen=True)
class TaskEnded:
    """A task was learned and became a version.

    Attributes:
        task: its number, from 0 on; name: what it is about.
        step: the last one of the task, see `Stepped`.
        figures: `epoch_loss/TERM` of its last epoch, `images`, `images_per_second`, `seconds/PHASE`.
    """

    task: int
    name: str
    version: str
    step: int
    figures: Figures


@dataclass(frozen=True)
class Pair:
    """How a version's queries do on the entries of another: Recall@1.

    Attributes:
        reference: what `value` has to beat; low, high: the 95 % interval of the difference.
        way: as_they_are, exact, adapter or cascade.
    """

    gallery: str
    value: float
    reference: float
    low: float
    high: float
    compatible: bool
    way: str


@dataclass(frozen=True)
class VersionPublished:
    """A version is in the store, and was measured.

    Attributes:
        step: at which it was made, see `Stepped`.
        figures: `self/recall_at_1`, `self/recall_at_5`, `self/map_at_r` on its own gallery, `cross/NAME` on
            that of an older version, and `ac`, `am` of the lineage so far, as far as they are known.
        pairs: with each older version that it was measured with.
        files: fetches the folder of its files, weights and all.
    """

    name: str
    task: int
    step: int
    contract: str
    parent: str | None
    kind: str
    dimension: int
    store: str
    figures: Figures
    pairs: Sequence[Pair]
    files: Callable[[], Path]


@dataclass(frozen=True)
class TrialBegun:
    """A trial of a sweep begins, or goes on. `values`: of the keys that vary."""

    number: int
    values: Mapping[str, Any]
    attempt: int = 1


@dataclass(frozen=True)
class TrialReported:
    """A trial has learned so many tasks. `figures`: objective, self, cross, images, seconds."""

    number: int
    tasks: int
    figures: Figures


@dataclass(frozen=True)
class TrialEnded:
    """A trial is over: done, stopped early, or failed with an error. `curve`: all that it reported."""

    number: int
    values: Mapping[str, Any]
    state: str
    error: str | None
    curve: Sequence[TrialReported]


@dataclass(frozen=True)
class Ended:
    """A run is over for now. `reason`: why it failed; `figures`: of the best trial, after a sweep."""

    status: Literal["finished", "failed", "interrupted"]
    reason: str | None = None
    figures: Figures = field(default_factory=dict)


Event = Begun | Stepped | TaskEnded | VersionPublished | TrialBegun | TrialReported | TrialEnded | Ended
