"""Decoded images with their labels: what training and evaluation work on."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images of one size, in the source's order.

    Attributes:
        images: uint8 (n, channels, height, width), read-only. Straight from `load_images` it is a memory map
            of a cache file, so that all processes of a machine share its pages.
        labels, groups, sample_ids: text (n,). A missing group is the empty text.
        columns: every array (n,) that a selection can name, derived columns included.
        fingerprint: hex digest of the decoded pixels, labels, groups and sample_ids; the same everywhere.
    """

    images: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    sample_ids: np.ndarray
    columns: Mapping[str, np.ndarray]
    fingerprint: str

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: np.ndarray) -> "ImageSet":
        """The rows at int64 (m,) indices, or where bool (n,) is true, in that order; pixels are copied."""
        indices = np.asarray(indices)
        if indices.dtype == bool:
            indices = np.flatnonzero(indices)
        indices = indices.astype(np.int64)
        images = self.images[indices]
        images.flags.writeable = False
        return ImageSet(
            images=images,
            labels=self.labels[indices],
            groups=self.groups[indices],
            sample_ids=self.sample_ids[indices],
            columns={name: values[indices] for name, values in self.columns.items()},
            fingerprint=hashlib.sha256(
                self.fingerprint.encode() + indices.astype("<i8").tobytes()
            ).hexdigest(),
        )
