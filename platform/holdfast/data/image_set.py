"""Decoded images, or vectors, with their labels: what training and evaluation work on."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

DIGEST = 16


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images of one size, or vectors of one dimension, in the source's order.

    Attributes:
        images: uint8 (n, channels, height, width), read-only. Straight from `load_images` it is a memory map
            of a cache file, so that all processes of a machine share its pages. Of a source of vectors they
            are float32 (n, d), of unit norm. Streamed images are a `StreamedImages` in place of the array.
        labels, groups, sample_ids: text (n,), see `holdfast.data.sources`. A missing group is the empty text.
        columns: every array (n,) that a selection can name, derived columns included.
        fingerprint: hex digest of the pixels or vectors, labels, groups and sample_ids; the same everywhere.
        digests: of the pixels of each image, or the numbers of each vector, uint8 (n, DIGEST), where they are
            known already; where a network made the vectors, of the pixels that it saw.
        notes: sentences for the user about what was passed over as the images were read.
    """

    images: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    sample_ids: np.ndarray
    columns: Mapping[str, np.ndarray]
    fingerprint: str
    digests: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def what(self) -> str:
        """What they are, for a message."""
        return "vectors" if self.images.ndim == 2 else "images"

    def take(self, indices: np.ndarray, images: np.ndarray | None = None) -> "ImageSet":
        """The rows at int64 (m,) indices, or where bool (n,) is true, in that order.

        Pixels are copied, unless `images` are the chosen ones already.
        """
        indices = np.asarray(indices)
        if indices.dtype == bool:
            indices = np.flatnonzero(indices)
        indices = indices.astype(np.int64)
        if images is None:
            images = self.images[indices]
            if isinstance(images, np.ndarray):
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
            digests=None if self.digests is None else self.digests[indices],
            notes=self.notes,
        )


def image_digest(pixels: np.ndarray) -> bytes:
    """DIGEST bytes that are the same for the same pixels, uint8 (C, H, W), or numbers, float32 (d,)."""
    return hashlib.blake2b(np.ascontiguousarray(pixels).data, digest_size=DIGEST).digest()
