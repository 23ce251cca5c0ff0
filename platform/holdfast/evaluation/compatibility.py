"""What a compatibility matrix says: which pairs are compatible, AC, AM, forgetting, update gain, negative
flips.

A matrix is a list of rows: C[i][j] has the queries embedded by version i and the gallery by version j,
versions oldest first. C[i][i] is a self-test, C[i][j] with i > j a cross-test. Figures are in percent.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from holdfast.evaluation.intervals import bootstrap_many
from holdfast.evaluation.retrieval import Outcome

FullTable = Sequence[Sequence[float]]
Table = Sequence[Sequence[float | None]]


@dataclass(frozen=True)
class Comparison:
    """One pair of versions against the self-test that it has to beat. Percent and percentage points."""

    value: float
    reference: float
    difference: float
    low: float
    high: float
    compatible: bool  # value > reference; a tie is a failure
    decided: bool  # the 95 % interval [low, high] of the difference excludes zero

    def as_dict(self) -> dict[str, float | bool]:
        return asdict(self)


def compare_pair(pair: Outcome, reference: Outcome, resamples: int = 1000, seed: int = 0) -> Comparison:
    """Is a pair of versions compatible? By Recall@1, with a paired bootstrap interval over the queries.

    `pair` is C[a][b]; `reference` the self-test of the older of a and b, over the same queries. The rule is
    the empirical compatibility criterion, M(new, old) > M(old, old), strict.
    """
    return compare_pairs([(pair, reference)], resamples, seed)[0]


def compare_pairs(
    pairs: Sequence[tuple[Outcome, Outcome]], resamples: int = 1000, seed: int = 0
) -> list[Comparison]:
    """`compare_pair` for many pairs over the same queries; one set of resamples serves them all."""
    if not pairs:
        return []
    differences = np.stack(
        [pair.hits.astype(np.float64) - reference.hits.astype(np.float64) for pair, reference in pairs]
    )
    intervals = bootstrap_many(differences, resamples, seed)
    comparisons = []
    for (pair, reference), interval in zip(pairs, intervals, strict=True):
        value = pair.percent()["recall_at_1"]
        base = reference.percent()["recall_at_1"]
        comparisons.append(
            Comparison(
                value=value,
                reference=base,
                difference=value - base,
                low=100.0 * interval.low,
                high=100.0 * interval.high,
                compatible=value > base,
                decided=interval.low > 0 or interval.high < 0,
            )
        )
    return comparisons


def average_compatibility(matrix: FullTable) -> float | None:
    """AC: the share, 0 to 1, of the pairs i > j with C[i][j] > C[j][j]; a tie fails. None for one version.

    The rule of HOC (Ricci et al., NeurIPS 2024); CoReS and CL2R let ties pass.
    """
    outcomes = [row[j] > matrix[j][j] for i, row in enumerate(matrix) for j in range(i)]
    return sum(outcomes) / len(outcomes) if outcomes else None


def average_multimodel_accuracy(matrix: FullTable) -> float | None:
    """AM: the mean of the lower triangle, diagonal included (CoReS). None for no version.

    AC alone can be gamed by a model that is poor everywhere; AM cannot.
    """
    entries = [row[j] for i, row in enumerate(matrix) for j in range(i + 1)]
    return float(np.mean(entries)) if entries else None


def forgetting(per_task: Table) -> float | None:
    """Mean over the tasks but the last of (best earlier value - last value) (Chaudhry et al., ECCV 2018).

    `per_task` has one row a version and one column a task; None where a version was not measured. "Earlier"
    is every row before the last, so a value from before the task was learned counts if it was measured. It
    is not floored at zero: a negative figure says that later tasks helped the earlier ones. None for one
    version.
    """
    if len(per_task) < 2:
        return None
    *earlier, last = per_task
    drops = []
    for task in range(len(last) - 1):
        before = [value for row in earlier if (value := row[task]) is not None]
        now = last[task]
        if before and now is not None:
            drops.append(max(before) - now)
    return float(np.mean(drops)) if drops else None


def update_gain(cross: float, old_self: float, control_self: float) -> float | None:
    """(cross - old self) / (self of an unconstrained model - old self) (BCT, Shen et al., CVPR 2020).

    0: no better than the old version; 1: as good as backfilling with a model that was trained without any
    constraint. None where that model is itself no better than the old version: there is no gain to share in.
    """
    possible = control_self - old_self
    return (cross - old_self) / possible if possible > 0 else None


def update_gains(matrix: FullTable, control_self: Sequence[float | None]) -> list[list[float | None]]:
    """`update_gain` of every pair i > j, where `control_self[i]` is the control's self-test after task i."""
    gains: list[list[float | None]] = [[None] * len(matrix) for _ in matrix]
    for i, row in enumerate(matrix):
        control = control_self[i] if i < len(control_self) else None
        for j in range(i):
            if control is not None:
                gains[i][j] = update_gain(row[j], matrix[j][j], control)
    return gains


def negative_flips(old_hit: np.ndarray, new_hit: np.ndarray) -> float:
    """Share, 0 to 1, of all queries (q,) that the old version answered right and the new one gets wrong.

    Both are measured on the same gallery, the old version's: what a user sees at the moment of the switch.
    """
    return float(np.mean((np.asarray(old_hit) > 0) & ~(np.asarray(new_hit) > 0)))
