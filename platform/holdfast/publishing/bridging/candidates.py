"""Which maps are tried between two versions."""

from collections.abc import Sequence

import numpy as np

from holdfast.adapters import AdapterConfig, KernelRidgeConfig, Pairs, RidgeConfig

_STRENGTHS = (0.1, 0.3, 1.0)
"""Of the shrinkage, in units of the variance of the vectors to be mapped, over all pairs."""
_SHRINKAGES = (0.03, 0.1, 0.3)
_ALIKE = 0.05
"""Of one lineage are two spaces in which pairs are nearer by so much than images that are none."""


def candidate_adapters(pairs: Pairs) -> Sequence[AdapterConfig]:
    """The configs of the maps that a bridge chooses among; of equally good ones the first is taken.

    Between two versions of one lineage the best map is near a rotation; between models that know nothing of
    each other it is not.

    Args:
        pairs: old vectors and new ones, on which the maps are going to be fitted.
    """
    count = len(pairs.source)
    variance = float(pairs.source.var(axis=0, dtype=np.float64).sum())
    unrelated = [
        RidgeConfig(toward="zero", shrinkage=float(np.clip(strength * variance / count, 1e-9, 1e12)))
        for strength in _STRENGTHS
    ]
    if are_related(pairs):
        return (RidgeConfig(folds=3), *unrelated)
    return (*(KernelRidgeConfig(shrinkage=shrinkage) for shrinkage in _SHRINKAGES), *unrelated)


def are_related(pairs: Pairs) -> bool:
    """Whether the two spaces are of one lineage, by pairs of old vectors and new ones."""
    if pairs.source.shape[1] != pairs.target.shape[1]:
        return False
    together = float(np.einsum("ij,ij->i", pairs.source, pairs.target).mean())
    return together - float(pairs.source.mean(axis=0) @ pairs.target.mean(axis=0)) > _ALIKE
