"""Rectangles that are erased, so that no single part of a thing is relied on (Zhong et al. 2020)."""

import math

import torch
from torch import Tensor

SMALLEST, LARGEST = 0.02, 1 / 3
"""Share of the image's area."""
LONGEST = 10 / 3
"""Of a rectangle, width to height or height to width."""


def draw_boxes(chance: float, drawn: Tensor) -> Tensor:
    """Where images are erased: left, top, right and bottom as shares of the sides, float32 (count, 4). A box
    without area erases nothing.

    Args:
        drawn: (count, 5), evenly between -1 and 1: whether, area, form, and where, across and down.
    """
    whether, size, form, x, y = ((drawn + 1) / 2).unbind(1)
    area = SMALLEST + (LARGEST - SMALLEST) * size
    stretch = torch.exp((form - 0.5) * math.log(LONGEST))
    width, height = ((area.sqrt() * each).clamp(max=1) for each in (stretch, 1 / stretch))
    erased = whether < chance
    width, height = (torch.where(erased, each, torch.zeros(())) for each in (width, height))
    left, top = x * (1 - width), y * (1 - height)
    return torch.stack([left, top, left + width, top + height], 1)


def erase(pixels: Tensor, boxes: Tensor) -> Tensor:
    """Give the pixels (b, C, H, W) float32 within boxes (b, 4, on the CPU) their image's mean colour, in
    place."""
    height, width = pixels.shape[-2:]
    # The few images that it concerns, one by one: all others are not touched, and no device is waited for.
    edges = (boxes * torch.tensor([width, height, width, height])).round().long().tolist()
    for image, (left, top, right, bottom) in zip(pixels, edges, strict=True):
        if left < right and top < bottom:
            image[:, top:bottom, left:right] = image.mean((1, 2), keepdim=True)
    return pixels
