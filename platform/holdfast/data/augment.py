"""Random affine distortion and colour jitter of whole batches, on tensors."""

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from holdfast.base import Settings

Amplitude = Annotated[float, Field(ge=0)]
Jitter = Annotated[float, Field(ge=0, lt=1)]

DRAWN = 10


class AugmentConfig(Settings):
    """How far images are distorted; 0 switches a distortion off. The defaults suit written characters.

    Every amount is drawn evenly from minus to plus its amplitude, for each image.
    """

    rotate: Annotated[float, Field(ge=0, le=180)] = 12.0
    """Degrees."""
    scale: Jitter = 0.15
    """Width and height are each scaled by 1 - scale to 1 + scale."""
    shift: Jitter = 0.1
    """Share of the width and of the height."""
    shear: Annotated[float, Field(ge=0, le=60)] = 10.0
    """Degrees, along the horizontal."""
    flip: bool = False
    """Mirror left and right, every other image."""
    brightness: Jitter = 0.2
    contrast: Jitter = 0.2
    saturation: Jitter = 0.2
    """The three factors 1 - amplitude to 1 + amplitude; of 3-channel images only."""

    def build(self) -> "Augmentation":
        return Augmentation(self)


class Augmentation:
    """Draws for the global batch and applies to any slice of it, so that the pixels do not depend on how many
    workers share the batch."""

    def __init__(self, config: AugmentConfig) -> None:
        self.config = config

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Parameters of `count` images, float32 (count, 9), on the CPU; a row belongs to an image.

        Columns: the 2x3 matrix that says where each output pixel comes from, in coordinates from -1 to 1,
        then the factors of brightness, contrast and saturation. Takes the same amount from the generator
        whatever the config.
        """
        config = self.config
        drawn = (torch.rand((count, DRAWN), generator=generator) * 2 - 1).unbind(1)
        angle = drawn[0] * math.radians(config.rotate)
        shear = torch.tan(drawn[1] * math.radians(config.shear))
        across = 1 / (1 + drawn[2] * config.scale)
        down = 1 / (1 + drawn[3] * config.scale)
        if config.flip:
            across = torch.where(drawn[6] < 0, -across, across)
        cos, sin = torch.cos(angle), torch.sin(angle)
        columns = [
            cos * across,
            (shear * cos - sin) * across,
            drawn[4] * 2 * config.shift,
            sin * down,
            (shear * sin + cos) * down,
            drawn[5] * 2 * config.shift,
            1 + drawn[7] * config.brightness,
            1 + drawn[8] * config.contrast,
            1 + drawn[9] * config.saturation,
        ]
        return torch.stack(columns, 1)

    def apply(self, images: Tensor, parameters: Tensor) -> Tensor:
        """Distort images.

        What moves in from outside repeats the border, so that it fits dark and light backgrounds.

        Args:
            images: uint8 (b, C, H, W), on any device.
            parameters: float32 (b, 9): the same rows of what `draw` gave for the global batch.

        Returns:
            float32 (b, C, H, W) in [0, 1], on the device of the images.
        """
        config = self.config
        pixels = images.to(torch.float32).mul_(1 / 255)
        parameters = parameters.to(images.device)
        if config.rotate or config.scale or config.shift or config.shear or config.flip:
            grid = _grid(parameters[:, :6].reshape(-1, 2, 3), *images.shape[-2:])
            pixels = functional.grid_sample(
                pixels, grid, mode="bilinear", padding_mode="border", align_corners=False
            )
        if images.shape[1] == 3 and (config.brightness or config.contrast or config.saturation):
            pixels = _jitter(pixels, parameters[:, 6:])
        return pixels


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


def _jitter(pixels: Tensor, factors: Tensor) -> Tensor:
    brightness, contrast, saturation = factors[:, :, None, None, None].unbind(1)
    grey = pixels.mean(1, keepdim=True)
    pixels = grey + (pixels - grey) * saturation
    mean = pixels.mean((1, 2, 3), keepdim=True)
    return ((mean + (pixels - mean) * contrast) * brightness).clamp_(0, 1)
