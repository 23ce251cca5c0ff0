"""What a bridge is asked to look at."""

from dataclasses import dataclass, field
from pathlib import Path

from holdfast.backfill import Sources

LEAST = 32
"""Pairs that a map can be fitted on, and entries that it can be measured on."""


@dataclass(frozen=True)
class BridgeRequest:
    """Which images, and what tells a right answer.

    Args:
        sample: pairs that the map is fitted on.
        measure: entries that it is measured on.
        views: of each image of the sample, on which the map is fitted too, where both versions embed images.
        sources: below which the images of entries may be read.
        images: a source whose images are taken in place of those of entries; one whose sample_id is the id of
            an entry is that entry.
        pairs: a Parquet file whose vectors are taken in place of images.
        labels: the attribute of the entries (column of `images` or `pairs`) that holds their class.
        relevance: a Parquet or CSV file: query, entry, grade.
        queries: a source of images that ask; without it the measured entries do, each for the others.
    """

    sample: int = 300
    measure: int = 1000
    sources: Sources = field(default_factory=Sources)
    images: str | None = None
    pairs: Path | None = None
    labels: str | None = None
    relevance: Path | None = None
    queries: str | None = None
    seed: int = 0
    views: int = 4
    resamples: int = 1000
