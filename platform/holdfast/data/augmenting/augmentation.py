"""What is drawn for a batch of images, and the images that it makes of them."""

import math

import torch
from torch import Tensor

from holdfast.data.augmenting.blurring import blur, draw_widths
from holdfast.data.augmenting.colours import recolour, recolours
from holdfast.data.augmenting.config import AugmentConfig
from holdfast.data.augmenting.erasing import draw_boxes, erase
from holdfast.data.augmenting.geometry import affine_matrices, crops, cut_out, move, moves

DRAWN = 10
MORE = 12
"""Numbers that are drawn besides, where there is a distortion that needs them."""


class Augmentation:
    """Draws for the global batch and applies to any slice of it, so that the pixels do not depend on how many
    workers share the batch. Mixup, which takes two images, is another matter: see `mixup`."""

    def __init__(self, config: AugmentConfig) -> None:
        self.config = config

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Parameters of `count` images, float32 (count, 15), on the CPU; a row belongs to an image.

        Columns: the 2x3 matrix that says where each output pixel comes from, in coordinates from -1 to 1; the
        factors of brightness, contrast and saturation; the angle of the hue; the box that is erased; the
        width of the blur. What is drawn for one distortion does not depend on how far another one goes.
        """
        config = self.config
        drawn = torch.rand((count, DRAWN), generator=generator) * 2 - 1
        matrices = affine_matrices(config, drawn[:, :7])
        factors = 1 + drawn[:, 7:] * torch.tensor([config.brightness, config.contrast, config.saturation])
        more = torch.zeros(count, MORE)
        if crops(config) or config.hue or config.erase or config.blur:
            more = torch.rand((count, MORE), generator=generator) * 2 - 1
        if crops(config):
            matrices = cut_out(config.crop or 1.0, matrices, more[:, :4])
        hue = more[:, 4] * math.radians(config.hue or 0.0)
        boxes = draw_boxes(config.erase or 0.0, more[:, 5:10])
        widths = draw_widths(config.blur or 0.0, more[:, 10:])
        return torch.cat([matrices, factors, hue[:, None], boxes, widths[:, None]], 1)

    def apply(self, images: Tensor, parameters: Tensor) -> Tensor:
        """Distort images.

        Args:
            images: uint8 (b, C, H, W), on any device.
            parameters: float32 (b, 15), on the CPU: the same rows of what `draw` gave for the global batch.

        Returns:
            float32 (b, C, H, W) in [0, 1], on the device of the images.
        """
        config = self.config
        pixels = images.to(torch.float32).mul_(1 / 255)
        there = _send(parameters[:, :10], images.device)
        if moves(config):
            pixels = move(pixels, there[:, :6])
        if images.shape[1] == 3 and recolours(config):
            pixels = recolour(pixels, there[:, 6:9], there[:, 9] if config.hue else None)
        if config.blur:
            pixels = blur(pixels, parameters[:, 14])
        if config.erase:
            pixels = erase(pixels, parameters[:, 10:14])
        return pixels


def _send(parameters: Tensor, device: torch.device) -> Tensor:
    """Parameters on the device, without waiting for what it does."""
    if device.type != "cuda":
        return parameters.to(device)
    return parameters.contiguous().pin_memory().to(device, non_blocking=True)
