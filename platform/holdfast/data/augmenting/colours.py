"""Brightness, contrast, saturation and hue of colour images."""

import math

import torch
from torch import Tensor

from holdfast.data.augmenting.config import AugmentConfig


def recolours(config: AugmentConfig) -> bool:
    """Whether colour images change their colours."""
    return bool(config.brightness or config.contrast or config.saturation or config.hue)


def recolour(pixels: Tensor, factors: Tensor, angles: Tensor | None) -> Tensor:
    """Change the colours of pixels (b, 3, H, W) float32 in [0, 1], in place; they stay in that range.

    Saturation and hue keep the grey of a pixel, its mean over the channels; contrast keeps that of an image.

    Args:
        factors: float32 (b, 3): brightness, contrast, saturation.
        angles: float32 (b,), radians by which colours turn around the line of greys; None for not at all.
    """
    brightness, contrast, saturation = factors[:, :, None, None, None].unbind(1)
    grey = pixels.mean(1, keepdim=True)
    pixels.sub_(grey)
    if angles is not None:
        pixels = _turned(pixels, angles[:, None, None, None])
    pixels.mul_(saturation).add_(grey)
    mean = pixels.mean((1, 2, 3), keepdim=True)
    return pixels.sub_(mean).mul_(contrast).add_(mean).mul_(brightness).clamp_(0, 1)


def _turned(colours: Tensor, angles: Tensor) -> Tensor:
    """Colours without their grey, turned about (1, 1, 1) by Rodrigues' formula."""
    across = torch.stack(
        [
            colours[:, 2] - colours[:, 1],
            colours[:, 0] - colours[:, 2],
            colours[:, 1] - colours[:, 0],
        ],
        1,
    )
    return colours.mul_(torch.cos(angles)).add_(across.mul_(torch.sin(angles) / math.sqrt(3)))
