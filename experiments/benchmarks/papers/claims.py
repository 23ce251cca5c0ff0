"""What the papers claim, as inequalities between rows: held, violated or undecided.

A claim that one figure is above another is held where the whole 95 % interval of the paired difference is
above zero, violated where it is below, and undecided between. One that a figure is not below another by more
than `MARGIN` points is judged at that margin. Intervals as in `methods.results`: seeds and queries are drawn
anew together, both sides with the same draw.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from experiments.benchmarks.harness.cells import Cells, Name
from experiments.benchmarks.methods.results import PerSeed, difference
from experiments.benchmarks.papers.protocols import PaperProtocol
from experiments.benchmarks.papers.robust import ALONE, ROBUST, STANDARD, RobustProtocol
from holdfast.evaluation import Interval

MARGIN = 1.0

Side = tuple[str, str]
"""A row and a quantity, as `measuring` names it."""
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Claim:
    """`one` is above `other`, or not more than `margin` points below."""

    paper: str
    text: str
    benchmark: str
    one: Side
    other: Side
    margin: float = 0.0


@dataclass(frozen=True)
class Finding:
    """A claim with the interval of the difference, in points, and over how many seeds."""

    claim: Claim
    interval: Interval | None
    seeds: int

    @property
    def verdict(self) -> str:
        if self.interval is None:
            return NOT_MEASURED
        low, high = self.interval.low + self.claim.margin, self.interval.high + self.claim.margin
        return "held" if low > 0 else "violated" if high < 0 else "undecided"


def claims(protocols: Mapping[str, PaperProtocol | RobustProtocol]) -> Iterator[Claim]:
    """All claims on all benchmarks where they are to be read."""
    for name, protocol in protocols.items():
        if isinstance(protocol, RobustProtocol):
            yield from _robust(name)
        elif name.startswith("forgetting"):
            yield from _forgetting(name)
        elif name.startswith("upgrade"):
            yield from _upgrade(name)
        else:
            yield from _dual(name)


def _forgetting(name: str) -> Iterator[Claim]:
    paper = "FECD (Chen et al. 2022)"
    for row in ("fecd", "fecd-normalized"):
        yield Claim(paper, f"old classes: {row} above fine-tuning", name, (row, "old"), ("finetune", "old"))
        yield Claim(paper, f"old classes: joint training above {row}", name, ("joint", "old"), (row, "old"))
        said = f"new classes: {row} at most a point below fine-tuning"
        yield Claim(paper, said, name, (row, "new"), ("finetune", "new"), MARGIN)
        for quantity, where in (("first", "first task's classes"), ("old", "old classes")):
            said = f"{where}: {row} above its control of nothing estimated"
            yield Claim(paper, said, name, (row, quantity), ("fecd-control", quantity))
    yield Claim(paper, "fine-tuning forgets", name, ("joint", "old"), ("finetune", "old"))


def _upgrade(name: str) -> Iterator[Claim]:
    paper = "UniBCT (Zhang et al. 2022)"
    said = "cross-test: refined prototypes above mean prototypes"
    yield Claim(paper, said, name, ("unibct", "cross"), ("prototypes", "cross"))
    for row in ("unibct", "prototypes"):
        said = f"{row}: cross-test above the old self-test"
        yield Claim(paper, said, name, (row, "cross"), (row, "old_self"))


def _dual(name: str) -> Iterator[Claim]:
    paper = "Dual-Tuning (Bai et al. 2023)"
    yield Claim(paper, "cross-test: both directions above one", name, ("both", "cross"), ("n2o", "cross"))
    said = "cross-test: the whole method above one direction"
    yield Claim(paper, said, name, ("dual-tuning", "cross"), ("n2o", "cross"))
    said = "the whole method: cross-test above the old self-test"
    yield Claim(paper, said, name, ("dual-tuning", "cross"), ("dual-tuning", "old_self"))
    said = "the whole method: self-test at most a point below an unconstrained version's"
    yield Claim(paper, said, name, ("dual-tuning", "self"), ("independent", "self"), MARGIN)


def _robust(name: str) -> Iterator[Claim]:
    paper = "Robust transfer (Yang et al. 2023)"
    for other, said in ((STANDARD, "a standard source"), (ALONE, "no source")):
        yield Claim(paper, f"a robust source above {said}", name, (ROBUST, "self"), (other, "self"))
    said = "the robust source itself below the standard one"
    yield Claim(paper, said, name, (STANDARD, "source"), (ROBUST, "source"))


def outcomes(cells: Cells, benchmark: str, side: Side) -> PerSeed:
    """Seed -> percent of every query."""
    row, quantity = side
    values = {}
    for name in cells.names():
        if (name.benchmark, name.method) == (benchmark, row):
            kept = cells.outcomes(Name(benchmark, row, name.seed)).get(quantity)
            if kept is not None and kept.size:
                values[name.seed] = 100.0 * kept.astype(np.float64)
    return values


def judge(cells: Cells, claim: Claim) -> Finding:
    one, other = (outcomes(cells, claim.benchmark, side) for side in (claim.one, claim.other))
    return Finding(claim, difference(one, other), len(set(one) & set(other)))
