"""Fitting whichever adapter a config names."""

from dataclasses import dataclass

import numpy as np

from holdfast.adapters.adapter import Adapter
from holdfast.adapters.evidence import Evidence
from holdfast.adapters.linear import LinearAdapter
from holdfast.adapters.ridge import RidgeConfig
from holdfast.adapters.settings import AdapterConfig


@dataclass(frozen=True, eq=False)
class Pairs:
    """The same images as two versions embed them.

    Attributes:
        source: float32 (n, d_s), unit norm, by the version whose vectors are to be mapped.
        target: float32 (n, d_t), unit norm, by the version into whose space.
    """

    source: np.ndarray
    target: np.ndarray


def fit_from_pairs(
    config: AdapterConfig, pairs: Pairs, seed: int = 0, earlier: Evidence | None = None
) -> Adapter:
    """The adapter that `config` names, fitted on the pairs; a linear one of entries also on `earlier` ones.

    Raises InvalidVectorError or DataError for pairs that cannot be fitted; names the row.
    """
    if isinstance(config, RidgeConfig) and config.maps == "entries":
        return config.fit(pairs.source, pairs.target, seed, earlier)
    return config.fit(pairs.source, pairs.target, seed)


def carried(kept: Adapter | None, step: Adapter | None) -> Evidence | None:
    """The evidence of `kept`, an ancestor's adapter to the parent, in the space of the parent's child.

    `step` is the adapter from the parent to the child. None where one of them has nothing to say.
    """
    if not isinstance(kept, LinearAdapter) or not isinstance(step, LinearAdapter):
        return None
    if kept.evidence is None or kept.target_dimension != step.source_dimension:
        return None
    return kept.evidence.pushed(step.matrix, step.bias)
