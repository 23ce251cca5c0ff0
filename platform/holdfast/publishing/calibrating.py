"""Whether one version's entries need a head start, or a handicap, in a ranking with another's: from the
images that a version learned from, as both embed them. Needs nothing of the store."""

from dataclasses import dataclass

import numpy as np

from holdfast.evaluation import assign_versions, bootstrap
from holdfast.learning import derive_seed

MOST_IMAGES = 4096
WORTH_POINTS = 0.1
"""A smaller gain hangs on a handful of images, whatever its interval, and shows in no report."""
_BLOCK = 512  # queries that are compared with all entries at a time


@dataclass(frozen=True, eq=False)
class Sides:
    """The same n images as queries and as entries, in one space.

    Attributes:
        queries, entries: float32 (n, d), unit norm. Query i is not searched for entry i.
    """

    queries: np.ndarray
    entries: np.ndarray


@dataclass(frozen=True, eq=False)
class Nearest:
    """The best scores of n queries, float32 (n,), -inf where there is no such entry.

    Attributes:
        right: among entries of the query's class. wrong: among all others.
    """

    right: np.ndarray
    wrong: np.ndarray


@dataclass(frozen=True, eq=False)
class Searched:
    """What n images find in one space, with the entries dealt to two halves of the gallery.

    Attributes:
        codes: int64 (n,), the classes.
        halves: the best scores among the one half's entries, and among the other's.
    """

    codes: np.ndarray
    halves: tuple[Nearest, Nearest]

    @property
    def wrong(self) -> float:
        """The mean best score among all entries of other classes; infinite where there is but one class."""
        first, second = self.halves
        return float(np.maximum(first.wrong, second.wrong).mean(dtype=np.float64))


@dataclass(frozen=True)
class FittedShift:
    """score + shift is what entries of another version should be ranked by among the query version's own.

    Attributes:
        gain: by how much it raises Recall@1 in a gallery that holds half of each class by either version,
            percentage points; `low` and `high` are its 95 % interval, over the classes.
    """

    shift: float
    gain: float
    low: float
    high: float

    @property
    def helps(self) -> bool:
        """Whether the interval excludes zero, and the gain is worth a changed ranking."""
        return self.low > 0 and self.gain >= WORTH_POINTS


def choose_images(labels: np.ndarray, seed: int, task: int) -> np.ndarray:
    """Positions in `labels` (m,), ascending, `MOST_IMAGES` at most: of whole classes as far as possible."""
    generator = np.random.default_rng(derive_seed(seed, "calibration", task))
    _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    drawn = generator.permutation(len(counts))
    fit = int(np.searchsorted(np.cumsum(counts[drawn]), MOST_IMAGES, side="right"))
    chosen = np.flatnonzero(np.isin(codes, drawn[: max(2, fit)]))
    if len(chosen) > MOST_IMAGES:
        chosen = np.sort(generator.choice(chosen, MOST_IMAGES, replace=False))
    return chosen


def search_halves(sides: Sides, labels: np.ndarray, seed: int = 0) -> Searched:
    """Search every image among the others. `labels` (n,) are the classes; `seed` deals the
    entries."""
    _, codes = np.unique(labels, return_inverse=True)
    dealt = assign_versions(labels, 2, seed).astype(bool)
    return Searched(codes, nearest(sides, codes, dealt))


def fit_shift(own: Searched, other: Searched) -> FittedShift:
    """The shift that makes the nearest wrong entries alike: those are what a right one has to beat.

    It is the difference between their mean scores among the query version's own entries and among the
    other's. Nothing is fitted to scores of the right class: the version has learned these classes, so that
    they lie higher than those of new classes will, and more so in its own space than in an older one.

    Args:
        own: the query version's queries among its own entries.
        other: its queries (as mapped) among the other version's entries (as mapped) of the same images, dealt
            alike.
    """
    codes, means = own.codes, (own.wrong, other.wrong)
    if not np.isfinite(means).all():  # one class only
        return FittedShift(0.0, 0.0, 0.0, 0.0)
    shift = means[0] - means[1]
    gains = np.zeros(len(codes))
    # Every entry once by either version.
    for here, there in zip(own.halves, reversed(other.halves), strict=True):
        gains += answers(here, there, shift).astype(np.float64) - answers(here, there, 0.0)
    # Images of a class fail together, so whole classes are drawn.
    by_class = np.bincount(codes, gains / 2)
    interval = bootstrap(by_class * len(by_class) / len(codes))
    return FittedShift(shift, 100 * interval.mean, 100 * interval.low, 100 * interval.high)


def nearest(sides: Sides, codes: np.ndarray, among: np.ndarray) -> tuple[Nearest, Nearest]:
    """The best scores among the entries that `among` (bool (n,)) has, and among those that it has not.

    `codes` (n,) are the classes.
    """
    parts = (among, ~among)
    right, wrong = (np.full((2, len(codes)), -np.inf, np.float32) for _ in range(2))
    for start in range(0, len(codes), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(codes)))
        products = sides.queries[rows] @ sides.entries.T
        products[np.arange(len(rows)), rows] = -np.inf
        same = codes[rows, None] == codes
        for best, theirs in (right, same), (wrong, ~same):
            scores = np.where(theirs, products, -np.inf)
            for half, part in zip(best, parts, strict=True):
                half[rows] = scores[:, part].max(axis=1, initial=-np.inf)
    return Nearest(right[0], wrong[0]), Nearest(right[1], wrong[1])


def answers(own: Nearest, other: Nearest, shift: float) -> np.ndarray:
    """bool (n,): whether the first hit is right if the other version's scores are shifted."""
    return np.maximum(own.right, other.right + shift) > np.maximum(own.wrong, other.wrong + shift)
