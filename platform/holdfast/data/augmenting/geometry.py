"""Where each pixel of a distorted image comes from."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from holdfast.data.augmenting.config import AugmentConfig

WIDEST = 4 / 3
"""Of a part that is cut out, width to height or height to width."""


def moves(config: AugmentConfig) -> bool:
    """Whether any pixel moves."""
    distorts = config.rotate or config.scale or config.shift or config.shear or config.flip
    return bool(distorts) or crops(config)


def crops(config: AugmentConfig) -> bool:
    """Whether a part is cut out."""
    return config.crop is not None and config.crop < 1


def affine_matrices(config: AugmentConfig, drawn: Tensor) -> Tensor:
    """The 2x3 matrices that say where each output pixel comes from, in coordinates from -1 to 1.

    Args:
        drawn: (count, 7), evenly between -1 and 1: angle, shear, width, height, across, down, flip.

    Returns:
        float32 (count, 6), row by row.
    """
    turn, slant, wide, high, right, low, side = drawn.unbind(1)
    angle = turn * math.radians(config.rotate)
    shear = torch.tan(slant * math.radians(config.shear))
    across = 1 / (1 + wide * config.scale)
    down = 1 / (1 + high * config.scale)
    if config.flip:
        across = torch.where(side < 0, -across, across)
    cos, sin = torch.cos(angle), torch.sin(angle)
    columns = [
        cos * across,
        (shear * cos - sin) * across,
        right * 2 * config.shift,
        sin * down,
        (shear * sin + cos) * down,
        low * 2 * config.shift,
    ]
    return torch.stack(columns, 1)


def cut_out(least: float, matrices: Tensor, drawn: Tensor) -> Tensor:
    """The matrices with which the distorted image is looked for in a part of the given one.

    A part is never larger than the image: it is only ever magnified, and bilinear interpolation needs no
    filter against aliasing.

    Args:
        least: share of the image's area that a part has at least.
        matrices: as `affine_matrices` gives them.
        drawn: (count, 4), evenly between -1 and 1: area, form, and where the part lies, across and down.
    """
    size, form, x, y = drawn.unbind(1)
    area = least + (1 - least) * (size + 1) / 2
    wanted = (area * torch.exp(form * math.log(WIDEST))).sqrt()
    # A part that would be wider or higher than the image is as wide or as high, and keeps its area.
    width = torch.maximum(wanted, area).clamp(max=1)
    height = area / width
    a, b, c, d, e, f = matrices.unbind(1)
    rows = [width * a, width * b, width * c + x * (1 - width)]
    rows += [height * d, height * e, height * f + y * (1 - height)]
    return torch.stack(rows, 1)


def move(pixels: Tensor, matrices: Tensor) -> Tensor:
    """Look up pixels (b, C, H, W) float32 where `matrices` (b, 6) say.

    What moves in from outside repeats the border, so that it fits dark and light backgrounds.
    """
    grid = _grid(matrices.reshape(-1, 2, 3), *pixels.shape[-2:])
    return functional.grid_sample(pixels, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _grid(matrix: Tensor, height: int, width: int) -> Tensor:
    # Written out rather than affine_grid: a matrix product may round differently for another batch size, and
    # a rank's slice must get the very pixels that a single process computes.
    across = (torch.arange(width, device=matrix.device) * 2 + 1) / width - 1
    down = (torch.arange(height, device=matrix.device) * 2 + 1) / height - 1
    grid = torch.empty((len(matrix), height, width, 2), device=matrix.device)
    for axis in range(2):
        along_x = matrix[:, axis, 0, None] * across
        along_y = matrix[:, axis, 1, None] * down + matrix[:, axis, 2, None]
        torch.add(along_x[:, None, :], along_y[:, :, None], out=grid[..., axis])
    return grid
