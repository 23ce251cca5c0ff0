"""An adapter between a version and one of its ancestors: on what it is fitted, and what it is fitted to.

Needs the encoders, or their embeddings, and nothing of the store.
"""

from dataclasses import dataclass, field

import numpy as np
import torch

from holdfast.adapters import Adapter, AdapterConfig, Evidence, Pairs, fit_from_pairs
from holdfast.data import AugmentConfig
from holdfast.learning.lesson import turn_images
from holdfast.learning.randomness import derive_seed
from holdfast.models import Encoder

_CHUNK = 512  # images that are copied out of the training set, and embedded, at a time


@dataclass(frozen=True)
class Copies:
    """On which copies of a task's images a map is fitted.

    Attributes:
        turns: 1, 2 or 4 orientations, those in which the images were learned.
        views: how many distorted copies there are of each, besides.
        augment: how they are distorted.
    """

    turns: int = 1
    views: int = 0
    augment: AugmentConfig = field(default_factory=AugmentConfig)


def fit_adapter(
    config: AdapterConfig,
    newer: np.ndarray,
    older: np.ndarray,
    seed: int,
    task: int,
    distance: int,
    earlier: Evidence | None = None,
) -> Adapter:
    """Fit what `config` names between two spaces, in the direction of `config.maps`.

    Args:
        newer, older: float32 (n, d), what the version and its ancestor make of the same images; both as
            `embed_copies` gives them.
        seed: the experiment's. `task` is the version's, and `distance` 1 for its parent, 2 for the parent's
            parent: they tell apart the draws of the adapters.
        earlier: what the parent's adapter for the same ancestor was fitted on (`carried`), where entries are
            mapped.

    Raises:
        DataError, InvalidVectorError: the images are too few for this adapter.
    """
    draws = derive_seed(seed, "adapter", task, distance)
    pairs = Pairs(older, newer) if config.maps == "entries" else Pairs(newer, older)
    return fit_from_pairs(config, pairs, draws, earlier)


def embed_copies(
    encoder: Encoder, images: np.ndarray, indices: np.ndarray, copies: Copies, seed: int, task: int
) -> np.ndarray:
    """Embed copies of the images at `indices` (m,): float32 ((views + 1) turns m, d), unit norm.

    The first m are of the images as they are, then come those of the other orientations, then the distorted
    ones of all orientations, again and again. The same experiment's `seed` and the same task give the same
    pixels, so that all versions see the same.
    """
    blocks = (copies.views + 1) * copies.turns
    embedded = np.empty((blocks * len(indices), encoder.dimension), np.float32)
    augmentation = copies.augment.build()
    generator = torch.Generator().manual_seed(derive_seed(seed, "adapter", task, "views"))
    for block in range(blocks):
        view, turn = divmod(block, copies.turns)
        for at in range(0, len(indices), _CHUNK):
            chunk = turn_images(images[indices[at : at + _CHUNK]], turn, copies.turns)
            rows = slice(block * len(indices) + at, block * len(indices) + at + len(chunk))
            if view == 0:
                embedded[rows] = encoder.embed(chunk)
                continue
            drawn = augmentation.draw(len(chunk), generator)
            with torch.inference_mode():
                embedded[rows] = encoder(augmentation.apply(torch.from_numpy(chunk), drawn)).numpy()
    return embedded
