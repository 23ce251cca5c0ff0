"""An adapter between a version and one of its ancestors: on what it is fitted, and what it is fitted to.

Needs the encoders, or their embeddings, and nothing of the store.
"""

import numpy as np
import torch

from holdfast.adapters import Adapter, AdapterConfig, Evidence, Pairs, fit_from_pairs
from holdfast.data import Augmentation, AugmentConfig, in_batches
from holdfast.learning import derive_seed
from holdfast.models import Learnable
from holdfast.publishing.sampling import Sampled, fit_on_sample

_CHUNK, _STREAMED = 512, 64
"""Images that are copied out of the training set, or decoded, and embedded, at a time."""


def fit_adapter(
    config: AdapterConfig,
    newer: np.ndarray,
    older: np.ndarray,
    seed: int,
    task: int,
    distance: int,
    earlier: Evidence | None = None,
    sample: Sampled | None = None,
) -> Adapter:
    """Fit what `config` names between two spaces, in the direction of `config.maps`.

    Args:
        newer, older: float32 (n, d), what the version and its ancestor make of the same images; both as
            `embed_views` gives them.
        seed: the experiment's. `task` is the version's, and `distance` 1 for its parent, 2 for the parent's
            parent: they tell apart the draws of the adapters.
        earlier: what the parent's adapter for the same ancestor was fitted on (`carried`), where entries are
            mapped.
        sample: entries of the ancestor's as both see them.

    Raises:
        DataError, InvalidVectorError: the images are too few for this adapter.
    """
    draws = derive_seed(seed, "adapter", task, distance)
    pairs = _pairs(config, older, newer)
    if sample is not None:
        return fit_on_sample(config, pairs, _pairs(config, sample.older, sample.newer), draws, earlier)
    return fit_from_pairs(config, pairs, draws, earlier)


def _pairs(config: AdapterConfig, older: np.ndarray, newer: np.ndarray) -> Pairs:
    return Pairs(older, newer) if config.maps == "entries" else Pairs(newer, older)


def embed_views(
    encoder: Learnable,
    images: np.ndarray,
    indices: np.ndarray,
    views: int,
    augment: AugmentConfig,
    seed: int,
    task: int,
) -> np.ndarray:
    """Embed the images at `indices` (m,), as they are and then distorted `views` times: float32
    ((views + 1) m, d), unit norm.

    The same experiment's `seed` and the same task give the same pixels, so that all versions see the same.
    """
    embedded = np.empty(((views + 1) * len(indices), encoder.dimension), np.float32)
    augmentation = Augmentation(augment)
    generator = torch.Generator().manual_seed(derive_seed(seed, "adapter", task, "views"))
    chunk_size = _CHUNK if isinstance(images, np.ndarray) else _STREAMED
    for view in range(views + 1):
        at = 0
        for chunk in in_batches(images, chunk_size, indices):
            rows = slice(view * len(indices) + at, view * len(indices) + at + len(chunk))
            at += len(chunk)
            if view == 0:
                embedded[rows] = encoder.embed(chunk)
                continue
            drawn = augmentation.draw(len(chunk), generator)
            with torch.inference_mode():
                embedded[rows] = encoder(augmentation.apply(torch.from_numpy(chunk), drawn)).numpy()
    return embedded
