"""Which map between two spaces is the best, by pairs that it was not fitted on, if they are pairs at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.adapters import (
    Adapter,
    AdapterConfig,
    Maps,
    Meeting,
    Pairs,
    RidgeConfig,
    belong,
    fit_from_pairs,
    wrong_pairs,
)
from holdfast.base import DataError

FOLDS = 5


@dataclass(frozen=True, eq=False)
class Chosen:
    """The map between two versions.

    Attributes:
        meeting: how queries of the new version meet entries of the old one.
        config: how it was fitted; None where they meet as they are.
        scores: what each of the rivals scored, as `{"adapter", "score"}`.
        apart: bool (n,), the pairs that do not belong together, on which it was not fitted.
    """

    meeting: Meeting
    config: AdapterConfig | None
    scores: Sequence[dict[str, Any]]
    apart: np.ndarray

    @property
    def adapter(self) -> Adapter | None:
        return self.meeting.adapter


@dataclass(frozen=True, eq=False)
class Sample:
    """Images as both versions see them.

    Attributes:
        old, new: float32 (n, d).
        old_views, new_views: the same of views of each, float32 (v, n, d).
    """

    old: np.ndarray
    new: np.ndarray
    old_views: np.ndarray
    new_views: np.ndarray

    def turned(self) -> "Sample":
        """With the versions in each other's place."""
        return Sample(self.new, self.old, self.new_views, self.old_views)

    def pairs(self, rows: np.ndarray, maps: Maps) -> Pairs:
        """The images at `rows` and their views, as a map is fitted on them."""
        old, new = (
            np.concatenate([whole[rows], views[:, rows].reshape(-1, whole.shape[1])])
            for whole, views in ((self.old, self.old_views), (self.new, self.new_views))
        )
        return Pairs(old, new) if maps == "entries" else Pairs(new, old)


def choose_meeting(
    sample: Sample,
    candidates: Sequence[AdapterConfig],
    seed: int,
    standing: Meeting | None = None,
) -> Chosen:
    """The best way for queries of one version to meet entries of the other.

    A rival's score is the mean reciprocal rank at which it finds, for each sampled image as a query of the
    new version, first the same image among the old entries, then the one that the new version itself finds
    nearest; every image is mapped by a map that was not fitted on it.

    Args:
        standing: a way that needs no fit, which is a rival too: as they are, or through an adapter that was
            not fitted on these images.

    Raises:
        DataError: the pairs do not belong together.
    """
    old, new = sample.old, sample.new
    small = compress(sample)
    # What treats all directions alike may be judged where there are few.
    rivals = [
        _cross_fit(config, small if isinstance(config, RidgeConfig) else sample, seed)
        for config in candidates
    ]
    if standing is not None:
        rivals.insert(0, _Rival(None, standing, *standing.together(new, old)))
    scores = [_score(rival.queries, rival.entries, new) for rival in rivals]
    best = rivals[int(np.argmax(scores))]
    require_pairs(best.queries, best.entries, seed)
    apart = wrong_pairs(best.entries, best.queries)
    meeting = best.meeting
    if best.config is not None:
        meeting = _fit(best.config, sample, np.flatnonzero(~apart), seed)
    assert meeting is not None
    told = [
        {"adapter": None if rival.config is None else rival.config.model_dump(mode="json"), "score": score}
        for rival, score in zip(rivals, scores, strict=True)
    ]
    return Chosen(meeting, best.config, told, apart)


@dataclass(frozen=True, eq=False)
class _Rival:
    """One way to meet: queries and entries in one space, each mapped without having been fitted on.

    `meeting` is known beforehand where there is no `config` to fit.
    """

    config: AdapterConfig | None
    meeting: Meeting | None
    queries: np.ndarray
    entries: np.ndarray


def compress(sample: Sample) -> Sample:
    """The same in coordinates of the space that it spans, where that has fewer dimensions: all products stay
    as they are, and so does what a map makes of them that treats all directions alike.

    Two spaces of one dimension get one basis, so that what is the same in both stays the same.
    """
    sides = [
        np.concatenate([whole[None], views])
        for whole, views in ((sample.old, sample.old_views), (sample.new, sample.new_views))
    ]
    if sample.old.shape[1] == sample.new.shape[1]:
        old, new = np.split(_coordinates(np.concatenate(sides)), 2)
    else:
        old, new = (_coordinates(side) for side in sides)
    return Sample(old[0], new[0], old[1:], new[1:])


def require_pairs(queries: np.ndarray, entries: np.ndarray, seed: int) -> None:
    """Raises DataError unless query i and entry i, mapped without knowing of each other, are nearer than
    shuffled ones ever are."""
    if not belong(entries, queries, seed):
        raise DataError(
            f"The {len(queries)} pairs do not belong together: a map fitted on some brings the others no "
            "nearer than if they were shuffled. Look whether entries and images have the same ids, and "
            "whether the vectors are those of the version that was named."
        )


def _coordinates(vectors: np.ndarray) -> np.ndarray:
    """Of (v, n, d), as (v, n, r) with r <= d."""
    rows = vectors.reshape(-1, vectors.shape[-1])
    if len(rows) >= rows.shape[1]:
        return vectors
    left, values, _ = np.linalg.svd(rows.astype(np.float64), full_matrices=False)
    found = left * values
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found.astype(np.float32).reshape(*vectors.shape[:-1], -1)


def _fit(config: AdapterConfig, sample: Sample, rows: np.ndarray, seed: int) -> Meeting:
    return Meeting(fit_from_pairs(config, sample.pairs(rows, config.maps), seed), config.maps)


def _cross_fit(config: AdapterConfig, sample: Sample, seed: int) -> _Rival:
    """Each image mapped by what was fitted on the images, and their views, of the other folds."""
    order = np.random.default_rng(seed).permutation(len(sample.old))
    mapped = np.empty_like(sample.new if config.maps == "entries" else sample.old)
    for held in np.array_split(order, min(FOLDS, len(order))):
        meeting = _fit(config, sample, np.setdiff1d(order, held), seed)
        mapped[held] = (
            meeting.entries(sample.old[held])
            if config.maps == "entries"
            else meeting.queries(sample.new[held])
        )
    if config.maps == "entries":
        return _Rival(config, None, sample.new, mapped)
    return _Rival(config, None, mapped, sample.old)


def _score(queries: np.ndarray, entries: np.ndarray, new: np.ndarray) -> float:
    products = queries @ entries.T
    themselves = np.arange(len(new))
    partner = _reciprocal_ranks(products, themselves)
    ideal = new @ new.T
    np.fill_diagonal(ideal, -np.inf)
    np.fill_diagonal(products, -np.inf)
    return float(partner.mean() + _reciprocal_ranks(products, ideal.argmax(axis=1)).mean()) / 2


def _reciprocal_ranks(products: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    own = products[np.arange(len(products)), wanted][:, None]
    return np.asarray(1.0 / (1 + (products > own).sum(axis=1)))
