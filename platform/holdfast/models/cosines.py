"""Cosines between embeddings and learned class directions, at little more than their product's cost."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def cosines(embeddings: Tensor, directions: Tensor) -> Tensor:
    """Inner products (b, classes) of embeddings (b, d) with directions (classes, d) divided by their norms.

    Equal to `embeddings @ F.normalize(directions).T`, with gradients to both, once. With thousands of classes
    the normalized copy of all directions, and its gradient, would cost more than the product does.
    """
    found: Tensor = _Cosines.apply(embeddings, directions)
    return found


class _Cosines(torch.autograd.Function):
    """c = (e . w) / |w|, so dc/de = w / |w| and dc/dw = e / |w| - c w / |w|^2."""

    @staticmethod
    def forward(ctx: Any, embeddings: Tensor, directions: Tensor) -> Tensor:
        inverse = torch.linalg.vector_norm(directions, dim=1).clamp_min(1e-12).reciprocal()
        found = (embeddings @ directions.T).mul_(inverse)
        ctx.save_for_backward(embeddings, directions, inverse, found)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        embeddings, directions, inverse, found = ctx.saved_tensors
        of_embeddings, of_directions = None, None
        gradient = gradient * inverse
        if ctx.needs_input_grad[0]:
            of_embeddings = gradient @ directions
        if ctx.needs_input_grad[1]:
            along = (gradient * found).sum(0) * inverse
            of_directions = (gradient.T @ embeddings).addcmul_(directions, along[:, None], value=-1)
        return of_embeddings, of_directions
