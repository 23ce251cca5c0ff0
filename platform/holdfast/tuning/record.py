"""What a sweep has tried: written down with every event, so that it goes on wherever it is interrupted."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from holdfast.base import ConfigError

State = Literal["running", "done", "stopped", "failed"]
FORMAT = 1


@dataclass
class Point:
    """What a trial reported after a task. `own`, `cross`: self- and cross-test, Recall@1, percent; `images`:
    passed so far."""

    tasks: int
    objective: float
    own: float
    cross: float
    images: int
    seconds: float


@dataclass
class Trial:
    """One trial.

    Attributes:
        number: from 0 on, in the order in which they began.
        values: of the keys of the space that apply.
        state: `stopped` early, `done` with all tasks.
        checkpoint: where its last task is kept, None for nowhere.
        error: why it failed. `diverged`: because a loss did.
        attempts: processes that worked at it.
        machine: the name of the one that its last report came from.
        before: in a population, the values with which each task was learned that it has.
        took: what it took over: after how many tasks, and from which trial.
    """

    number: int
    values: dict[str, Any]
    state: State = "running"
    curve: list[Point] = field(default_factory=list)
    checkpoint: str | None = None
    error: str | None = None
    diverged: bool = False
    attempts: int = 1
    pareto: bool = False
    machine: str | None = None
    before: list[dict[str, Any]] = field(default_factory=list)
    took: list[tuple[int, int]] = field(default_factory=list)

    def over(self, tasks: int) -> list[dict[str, Any]]:
        """Its values in each of so many tasks: those that it has learned, and those to come."""
        return [*self.before, *[self.values] * tasks][:tasks]

    @property
    def tasks(self) -> int:
        return self.curve[-1].tasks if self.curve else 0

    @property
    def last(self) -> Point | None:
        return self.curve[-1] if self.curve else None

    @property
    def images(self) -> int:
        return self.curve[-1].images if self.curve else 0

    def row(self) -> dict[str, Any]:
        """Plain values, for people and machines; figures of one that failed are None."""
        last = None if self.error is not None else self.last
        objective, own, cross = (None,) * 3 if last is None else (last.objective, last.own, last.cross)
        return {
            "trial": self.number,
            "values": self.values,
            "objective": objective,
            "self": own,
            "cross": cross,
            "tasks": self.tasks,
            "state": self.state,
            "error": self.error,
            "diverged": self.diverged,
            "attempts": self.attempts,
            "images": self.images,
            "seconds": 0.0 if self.last is None else self.last.seconds,
            "pareto": self.pareto,
            "machine": self.machine,
            **({"by_task": self.before, "took": self.took} if self.before else {}),
        }


@dataclass
class Sweep:
    """The trials of one sweep.

    Attributes:
        about: what decides the figures of its trials: experiment, space and objective, hashed by part.
        key: what tells it from others of its experiment, begun afresh; empty of those of before.
        generation: of a population, the tasks after which it was seen to who takes over what.
    """

    about: dict[str, str]
    trials: list[Trial] = field(default_factory=list)
    key: str = ""
    generation: int = 0

    @classmethod
    def read(cls, data: bytes) -> "Sweep":
        """Raises ValueError for what `bytes` did not write."""
        found = json.loads(data)
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise ValueError("it is no record of a sweep that this Holdfast reads")
        try:
            trials = [
                Trial(**{**row, "curve": [Point(**each) for each in row["curve"]]}) for row in found["trials"]
            ]
            return cls(
                dict(found["about"]), trials, str(found.get("key", "")), int(found.get("generation", 0))
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"it is damaged: {error}") from error

    def bytes(self) -> bytes:
        plain = {
            "format": FORMAT,
            "about": self.about,
            "key": self.key,
            "generation": self.generation,
            "trials": [asdict(trial) for trial in self.trials],
        }
        return json.dumps(plain, indent=1).encode()

    def require_same(self, about: dict[str, str], name: str) -> None:
        """Raises ConfigError where the record is of other trials than those that are wanted now."""
        changed = [part for part in about if self.about.get(part) != about[part]]
        if changed:
            raise ConfigError(
                f"The sweep of '{name}' was begun with another {' and another '.join(changed)}: its trials "
                "do not compare with new ones. Put it back, sweep under another name, or start over with "
                "--fresh."
            )

    @property
    def unfinished(self) -> list[Trial]:
        return [trial for trial in self.trials if trial.state == "running"]

    @property
    def images(self) -> int:
        return sum(trial.images for trial in self.trials)


def across(trial: Trial, tasks: int) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Its values: those that are the same in all tasks of a sequence, and of the others those of each."""
    values = trial.over(tasks)
    lists = {key: [each[key] for each in values] for key in trial.values}
    same = {key: found[0] for key, found in lists.items() if all(each == found[0] for each in found)}
    return same, {key: found for key, found in lists.items() if key not in same}


def digest(part: Any) -> str:
    """Of plain values, for `Sweep.about`."""
    return hashlib.sha256(json.dumps(part, sort_keys=True, default=str).encode()).hexdigest()[:16]
