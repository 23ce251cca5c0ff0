"""The sweeps that are compared, and one of them run by the command line."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.benchmarks.harness.asking import holdfast
from experiments.benchmarks.harness.cells import Name
from experiments.benchmarks.harness.places import EXPERIMENTS

FRONT, GRID, FIXED = "front", "grid", "fixed"
SEARCHES = {FRONT: ("tpe", "random"), GRID: ("grid", "tpe"), FIXED: ("few", "many")}
"""What is compared under each protocol; `few` and `many` trials are drawn at random."""


@dataclass(frozen=True)
class Sized:
    """How much is swept.

    Attributes:
        trials: of a search that is no grid. points: of a grid, in each of its keys.
        few, many: trials of the two sweeps that tell what a trial costs.
    """

    trials: int = 40
    points: int = 4
    few: int = 3
    many: int = 13
    seeds: int = 5
    quick: bool = False


@dataclass(frozen=True)
class Work:
    """One cell: a sweep by one search, with one seed."""

    protocol: str
    search: str
    seed: int

    @property
    def name(self) -> Name:
        return Name(self.protocol, self.search, self.seed)


def plan(protocols: list[str], sized: Sized) -> Iterator[Work]:
    """Seed by seed: of the search, and of what a trial learns with. The fixed cost is measured once."""
    for seed in range(sized.seeds):
        for protocol in protocols:
            for search in SEARCHES[protocol] if seed == 0 or protocol != FIXED else ():
                yield Work(protocol, search, seed)


def settings(work: Work, sized: Sized) -> dict[str, Any]:
    """What is set in the experiment file, dotted key by dotted key; all of it decides the figures."""
    return {FRONT: _front, GRID: _grid, FIXED: _fixed}[work.protocol](work, sized)


def sweep(work: Work, sized: Sized, folder: Path, models: Path) -> dict[str, Any]:
    """Trials in the order in which they began, as `holdfast tune --json` tells them, and the seconds of the
    command. An interrupted sweep goes on; its store lies below `folder`."""
    store = folder / "stores" / f"{work.protocol}-{work.search}-{work.seed}"
    file = EXPERIMENTS / _file(work, sized)
    if not sized.quick and work.protocol != FRONT and not (store / "adopted").exists():
        network, described = models / "lite0.onnx", models / "lite0.yaml"
        holdfast("adopt", "lite0", f"onnx:{network}", "--preprocessing", described, "--store", store)
        (store / "adopted").touch()
    chosen = [f"{key}={json.dumps(value)}" for key, value in settings(work, sized).items()]
    said = [part for each in chosen for part in ("--set", each)]
    started = time.perf_counter()
    best = folder / f"{store.name}.yaml"
    told = json.loads(holdfast("tune", file, *said, "-o", best, "--store", store, "--json"))
    seconds = time.perf_counter() - started
    return {"trials": sorted(told["trials"], key=lambda trial: trial["trial"]), "seconds": seconds}


def _file(work: Work, sized: Sized) -> str:
    if sized.quick:
        return "quickstart.yaml"
    return "omniglot-5.yaml" if work.protocol == FRONT else "sweep-projection.yaml"


def _front(work: Work, sized: Sized) -> dict[str, Any]:
    spaces = {
        "regularizers.feature-distillation.weight": _between(0.3, 100),
        "regularizers.correlation-distillation.weight": _between(5, 1500),
        "regularizers.prototype-alignment.weight": _between(0.1, 40),
        "regularizers.interpolation.share": {"kind": "uniform", "low": 0.2, "high": 1.0},
    }
    return {
        "model.width": 0.25,
        "learning.epochs": 1 if sized.quick else 2,
        **_tuning(work, sized, spaces, "front"),
    }


def _grid(work: Work, sized: Sized) -> dict[str, Any]:
    spaces = {
        "regularizers.feature-replay.weight": _between(0.1, 20, sized.points),
        "learning.optimizer.learning_rate": _between(0.0001, 0.01, sized.points),
        "regularizers.feature-distillation.weight": _between(1, 200, sized.points),
    }
    if sized.quick:
        spaces = {"regularizers.feature-distillation.weight": _between(1, 200, sized.points)}
    return _tuning(work, sized, spaces, "mean")


def _fixed(work: Work, sized: Sized) -> dict[str, Any]:
    spaces = {"regularizers.feature-distillation.weight": _between(1, 200)}
    return _tuning(work, sized, spaces, "mean", concurrent=1)


def _tuning(
    work: Work, sized: Sized, spaces: Mapping[str, Any], objective: str, concurrent: int = 2
) -> dict[str, Any]:
    # Of a grid, the experiment as it stands comes first.
    grid = 1 + sized.points ** len(spaces)
    trials = {"grid": grid, "few": sized.few, "many": sized.many}.get(work.search, sized.trials)
    return {
        "seed": work.seed,
        "tuning": {
            "space": dict(spaces),
            "objective": objective,
            "search": work.search if work.search in ("grid", "tpe") else "random",
            "stopping": "asha" if work.search == "tpe" else "none",
            "trials": trials,
            "concurrent": concurrent,
        },
    }


def _between(low: float, high: float, points: int = 5) -> dict[str, Any]:
    return {"kind": "loguniform", "low": low, "high": high, "points": points}
