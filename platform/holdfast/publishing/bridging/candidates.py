"""Which maps are tried between two versions."""

from collections.abc import Sequence

from holdfast.adapters import AdapterConfig, RidgeConfig


def candidate_adapters(old: int, new: int, pairs: int) -> Sequence[AdapterConfig]:
    """The configs of the maps that a bridge chooses among; of equally good ones the first is taken.

    Args:
        old, new: dimensions of the two versions.
        pairs: that the maps are fitted on.
    """
    return (RidgeConfig(folds=3), RidgeConfig(maps="queries", folds=3))
