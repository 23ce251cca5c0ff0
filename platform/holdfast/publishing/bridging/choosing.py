"""Which map between two spaces is the best, by pairs that it was not fitted on, if they are pairs at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.adapters import (
    AS_THEY_ARE,
    Adapter,
    AdapterConfig,
    Meeting,
    Pairs,
    RidgeConfig,
    belong,
    fit_from_pairs,
    held_out,
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


def choose_meeting(
    old: np.ndarray,
    new: np.ndarray,
    candidates: Sequence[AdapterConfig],
    seed: int,
    in_force: Meeting | None = None,
) -> Chosen:
    """The best way for queries of one version to meet entries of the other.

    A rival's score is the mean reciprocal rank at which it finds, for each sampled image as a query of the
    new version, first the same image among the old entries, then the one that the new version itself finds
    nearest; every image is mapped by a map that was not fitted on it.

    Args:
        old, new: float32 (n, d), the pairs.
        in_force: the adapter that the two have already, if they have. It is a rival, and without it the two
            as they are, where they have one dimension.

    Raises:
        DataError: the pairs do not belong together.
    """
    standing = in_force or (AS_THEY_ARE if old.shape[1] == new.shape[1] else None)
    small = compress(old, new)
    # What treats all directions alike may be judged where there are few.
    rivals = [
        _cross_fit(config, *(small if isinstance(config, RidgeConfig) else (old, new)), seed)
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
        meeting = _fit(best.config, old[~apart], new[~apart], seed)
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


def compress(old: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same pairs in coordinates of the space that they span, where that has fewer dimensions: all
    products stay as they are, and so does what a map makes of them that treats all directions alike.

    Two spaces of one dimension get one basis, so that what is the same in both stays the same.
    """
    if old.shape[1] == new.shape[1]:
        both = np.concatenate([old, new])
        coordinates = both if len(both) >= both.shape[1] else _coordinates(both)
        return coordinates[: len(old)], coordinates[len(old) :]
    small = [side if len(side) >= side.shape[1] else _coordinates(side) for side in (old, new)]
    return small[0], small[1]


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
    left, values, _ = np.linalg.svd(vectors.astype(np.float64), full_matrices=False)
    found = left * values
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


def _fit(config: AdapterConfig, old: np.ndarray, new: np.ndarray, seed: int) -> Meeting:
    pairs = Pairs(old, new) if config.maps == "entries" else Pairs(new, old)
    return Meeting(fit_from_pairs(config, pairs, seed), config.maps)


def _cross_fit(config: AdapterConfig, old: np.ndarray, new: np.ndarray, seed: int) -> _Rival:
    """Each vector mapped by what was fitted on the other folds."""
    if config.maps == "entries":
        return _Rival(config, None, new, held_out(config, Pairs(old, new), FOLDS, seed))
    return _Rival(config, None, held_out(config, Pairs(new, old), FOLDS, seed), old)


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
