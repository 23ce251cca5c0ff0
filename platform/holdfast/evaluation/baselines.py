"""Whether a version is worse than what there would be without it, on images that it did not learn from.

What is compared is Recall@1 among the validation images themselves, each asking all the others: of the
version, of its parent, and of its base, the trunk as it was before anything was learned. The evaluation split
has no part in it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from holdfast.data import draw_evenly
from holdfast.evaluation.intervals import bootstrap_classes
from holdfast.evaluation.retrieval import score

MOST_IMAGES = 8192
WORTH_POINTS = 1.0
"""A smaller loss is no reason to stop: it is said, and the version is published."""
FEWEST_CLASSES = 10
"""Of classes that the version did not learn, for them to have a say of their own."""

Reference = Literal["base", "parent"]


@dataclass(frozen=True)
class Standing:
    """A version beside its base or its parent: Recall@1 in percent, differences in points.

    Attributes:
        held_out: whether the queries are those of classes that the version did not learn alone, or all.
        value, reference_value: of the version, and of the other.
        low, high: the 95 % interval of the difference, over the classes, whose images fail together.
    """

    reference: Reference
    held_out: bool
    value: float
    reference_value: float
    difference: float
    low: float
    high: float

    @property
    def surely_worse(self) -> bool:
        """Whether the interval lies below zero, and the loss is at least a point."""
        return self.high < 0 and self.difference <= -WORTH_POINTS


@dataclass(frozen=True)
class Validation:
    """What validation images say about a version.

    Attributes:
        recall_at_1: of all queries, percent.
        queries: images that have another of their class among the images.
        classes, held_out_classes: of the queries, and how many of these the version did not learn.
    """

    recall_at_1: float
    queries: int
    classes: int
    held_out_classes: int
    standings: tuple[Standing, ...] = ()

    @property
    def losses(self) -> list[Standing]:
        """What the version is surely worse than, the largest loss first."""
        worse = [standing for standing in self.standings if standing.surely_worse]
        return sorted(worse, key=lambda standing: standing.difference)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, with `surely_worse` for each standing."""
        rows = [{**asdict(each), "surely_worse": each.surely_worse} for each in self.standings]
        return {**asdict(self), "standings": rows}


def choose_validation(labels: np.ndarray, seed: int) -> np.ndarray:
    """Positions in `labels` (n,), `MOST_IMAGES` at most, as `draw_evenly` draws them."""
    return draw_evenly(labels, MOST_IMAGES, np.random.default_rng([seed, 5]))


def validate_version(
    version: np.ndarray,
    references: Mapping[Reference, np.ndarray],
    labels: np.ndarray,
    held_out: np.ndarray,
    resamples: int = 1000,
) -> Validation | None:
    """Compare a version with what there would be without it.

    Args:
        version: float32 (n, d), what it makes of n images; the `references` (n, d') of the same ones, each of
            its own width.
        labels: (n,), their classes. held_out: bool (n,), whether the version did not learn the class.

    Returns:
        None where no image has another of its class.
    """
    _, codes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    asking = sizes[codes] > 1
    if not asking.any():
        return None
    own = _hits(version, labels)
    others = {name: _hits(vectors, labels) for name, vectors in references.items()}
    parts = {False: asking, True: asking & held_out}
    counted = {part: len(np.unique(codes[rows])) for part, rows in parts.items()}
    standings = [
        _compare(name, part, own[rows], hits[rows], codes[rows], resamples)
        for part, rows in parts.items()
        for name, hits in others.items()
        if not part or counted[True] >= FEWEST_CLASSES
    ]
    recall = 100 * float(own[asking].mean())
    return Validation(recall, int(asking.sum()), counted[False], counted[True], tuple(standings))


def _hits(vectors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return score(vectors, labels, vectors, labels, leave_one_out=True).recall_at_1.astype(np.float64)


def _compare(
    reference: Reference,
    held_out: bool,
    own: np.ndarray,
    other: np.ndarray,
    codes: np.ndarray,
    resamples: int,
) -> Standing:
    interval = bootstrap_classes((own - other)[None], codes, resamples)[0]
    values = [
        100 * float(each) for each in (own.mean(), other.mean(), interval.mean, interval.low, interval.high)
    ]
    return Standing(reference, held_out, *values)
