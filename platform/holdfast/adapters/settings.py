"""What every adapter's config says besides the form of the map."""

from typing import Literal

from pydantic import Field

from holdfast.base import Settings

Maps = Literal["entries", "queries"]


class AdapterSettings(Settings):
    """The base of the adapters' configs."""

    kind: str
    maps: Maps = "entries"
    """`entries`: those of older versions are mapped into the new version's space, which makes all scores
    cosines of one space; `queries`: the new version's, into the space of each older version."""
    views: int = Field(default=0, ge=0)
    """Besides the task's training images the map is fitted on so many copies of them, each distorted as
    `learning.augment` says."""
