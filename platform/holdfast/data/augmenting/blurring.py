"""Images out of focus."""

import math

import torch
from torch import Tensor
from torch.nn import functional

MOST = 0.01
"""Standard deviation of the widest blur, as a share of the image's side: 2 pixels in 224, as SimCLR has it
(Chen et al. 2020)."""


def draw_widths(chance: float, drawn: Tensor) -> Tensor:
    """How far images are blurred, as shares of their sides, float32 (count,); 0 is not at all.

    Args:
        drawn: (count, 2), evenly between -1 and 1: whether, and how far.
    """
    whether, far = ((drawn + 1) / 2).unbind(1)
    return torch.where(whether < chance, MOST * far, torch.zeros(()))


def blur(pixels: Tensor, widths: Tensor) -> Tensor:
    """Blur pixels (b, C, H, W) float32 by Gaussians of `widths` (b,), on the CPU, in place; the border is
    repeated."""
    chosen = torch.nonzero(widths).flatten()
    if not len(chosen):
        return pixels
    side = max(pixels.shape[-2:])
    reach = max(1, math.ceil(3 * MOST * side))
    steps = torch.arange(-reach, reach + 1, dtype=torch.float32)
    # Narrower than a third of a pixel is no blur, and a width of zero is no Gaussian.
    deviations = (widths[chosen] * side).clamp_min(1 / 3)
    weights = torch.exp(-0.5 * (steps / deviations[:, None]).square())
    weights = (weights / weights.sum(1, keepdim=True)).to(pixels.device, non_blocking=True)
    rows = chosen.to(pixels.device, non_blocking=True)
    pixels[rows] = _smoothed(_smoothed(pixels[rows], weights, 3), weights, 2)
    return pixels


def _smoothed(pixels: Tensor, weights: Tensor, axis: int) -> Tensor:
    """Weighted means of neighbours along an axis; summed in order, so that they hang on no batch size."""
    reach, length = weights.shape[1] // 2, pixels.shape[axis]
    around = (reach, reach, 0, 0) if axis == 3 else (0, 0, reach, reach)
    padded = functional.pad(pixels, around, mode="replicate")
    found = torch.zeros_like(pixels)
    for step, weight in enumerate(weights.unbind(1)):
        found.addcmul_(padded.narrow(axis, step, length), weight[:, None, None, None])
    return found
