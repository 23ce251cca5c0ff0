"""What every adapter's config says besides the form of the map."""

from abc import abstractmethod
from typing import Literal

import numpy as np
from pydantic import Field

from holdfast.adapters.adapter import Adapter
from holdfast.base import PartConfig

Maps = Literal["entries", "queries"]


class AdapterConfig(PartConfig):
    """Base of the configs of all adapters, built in or not."""

    maps: Maps = "entries"
    """`entries`: those of older versions are mapped into the new version's space, which makes all scores
    cosines of one space; `queries`: the new version's, into the space of each older version."""
    views: int = Field(default=0, ge=0)
    """Besides the task's training images the map is fitted on so many copies of them, each distorted as
    `learning.augment` says."""

    @abstractmethod
    def fit(self, source: np.ndarray, target: np.ndarray, seed: int = 0) -> Adapter:
        """From pairs float32 (n, d_s) and (n, d_t), unit norm; the same seed gives the same bytes.

        Raises InvalidVectorError or DataError for pairs that cannot be fitted.
        """
