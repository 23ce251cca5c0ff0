"""Where a network's embeddings begin: at what its trunk knows, or near given vectors."""

import numpy as np
import torch
from torch import Tensor

from holdfast.models.batched import batches_of
from holdfast.models.encoder import Encoder
from holdfast.models.projections import principal_directions

SHRINKAGE = 0.1
"""Of the map, in units of the features' variance: little, because only training may say what is noise."""


@torch.no_grad()
def begin_at_features(encoder: Encoder, images: np.ndarray) -> None:
    """Set the layers behind the trunk so that they keep what it makes of images, up to the norm.

    A narrower encoder keeps the directions in which the features have the most length; a wider one has them
    in its first dimensions, and zeros in the others until it learns. In training mode, too: the normalization
    gives their mean and spread back.

    Args:
        images: uint8 (n, channels, size, size), preprocessed.
    """
    features = _features(encoder, images)
    kept = min(encoder.dimension, features.shape[1])
    weight = torch.eye(encoder.dimension, features.shape[1], dtype=torch.float64)
    if kept < features.shape[1]:
        weight = principal_directions(features.numpy(), kept).double()
    made = features @ weight.T
    norm = encoder.norm
    assert norm.running_mean is not None
    assert norm.running_var is not None
    spread = made.var(0, unbiased=False)
    encoder.linear.weight.copy_(weight)
    norm.running_mean.copy_(made.mean(0))
    norm.running_var.copy_(spread)
    norm.weight.copy_((spread + norm.eps).sqrt())
    norm.bias.copy_(made.mean(0))


@torch.no_grad()
def begin_at_vectors(encoder: Encoder, images: np.ndarray, vectors: np.ndarray) -> None:
    """Set the layers behind the trunk so that it embeds images near the vectors that others made of them.

    Linear layer and normalization together become the ridge regression from the trunk's features, about
    their means, to the vectors. In training mode, too: the normalization gives the map's own mean and
    spread back. A narrower encoder meets the first dimensions of the vectors, a wider one has them in its
    first and keeps what it was drawn with in the others.

    Args:
        images: uint8 (n, channels, size, size), preprocessed.
        vectors: float32 (n, d), unit norm.
    """
    features = _features(encoder, images)
    width = min(encoder.dimension, vectors.shape[1])
    goals = torch.from_numpy(np.ascontiguousarray(vectors[:, :width], np.float64))
    middle, goal = features.mean(0), goals.mean(0)
    centred = features - middle
    variance = centred.square().sum() / len(centred)
    matrix = _ridge(centred, goals - goal, SHRINKAGE * variance)
    spread = (centred @ matrix).var(0, unbiased=False)
    if width < encoder.dimension:
        rest = centred @ encoder.linear.weight[width:].double().T
        matrix = torch.cat([matrix, encoder.linear.weight[width:].double().T], 1)
        # As far from the mean as the others are.
        typical = spread.mean().expand(encoder.dimension - width)
        natural = torch.cat([spread, rest.var(0, unbiased=False)])
        spread, goal = torch.cat([spread, typical]), torch.cat([goal, typical.new_zeros(typical.shape)])
    else:
        natural = spread
    norm = encoder.norm
    assert norm.running_mean is not None
    assert norm.running_var is not None
    encoder.linear.weight.copy_(matrix.T)
    norm.running_mean.copy_(middle @ matrix)
    norm.running_var.copy_(natural)
    norm.weight.copy_((spread + norm.eps).sqrt())
    norm.bias.copy_(goal)


def _features(encoder: Encoder, images: np.ndarray) -> Tensor:
    """What the trunk makes of images in evaluation mode, float64 (n, f), on the CPU."""
    was_training, device = encoder.training, encoder.linear.weight.device
    encoder.eval()
    try:
        parts = []
        for batch in batches_of(images, encoder.at_a_time):
            pixels = torch.tensor(batch, device=device)
            parts.append(encoder.trunk(encoder.preprocessing.normalize(pixels)).double().cpu())
        return torch.cat(parts)
    finally:
        encoder.train(was_training)


def _ridge(features: Tensor, goals: Tensor, penalty: Tensor) -> Tensor:
    """argmin_M ||F M - G||^2 + penalty ||M||^2, (f, d), by whichever of the two equations is the smaller."""
    count, width = features.shape
    if count < width:
        gram = features @ features.T + penalty * torch.eye(count, dtype=features.dtype)
        return features.T @ torch.linalg.solve(gram, goals)
    gram = features.T @ features + penalty * torch.eye(width, dtype=features.dtype)
    return torch.linalg.solve(gram, features.T @ goals)
