"""Images of other sizes, pixel for pixel as the libraries make them with which models were trained."""

from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

Resampling = Literal["nearest", "bilinear", "bicubic", "lanczos"]
Box = tuple[float, float, float, float]

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def shorter_side(sides: tuple[int, int], length: int) -> tuple[int, int]:
    """Width and height when the shorter of them has this length; the longer one is rounded down."""
    width, height = sides
    if width <= height:
        return length, int(length * height / width)
    return int(length * width / height), length


def resize(
    image: Image.Image,
    sides: tuple[int, int],
    resampling: Resampling,
    antialias: bool = True,
    box: Box | None = None,
) -> Image.Image:
    """An image of mode L or RGB, or the `box` of it, as one of other sides.

    With `antialias` as Pillow makes it, without as OpenCV and torch do: the filter then has the width of a
    pixel of the image, however much it shrinks.
    """
    if antialias or resampling == "nearest":
        return image.resize(sides, _FILTERS[resampling], box)
    if box is not None:
        left, top, right, bottom = (round(edge) for edge in box)
        image = image.crop((left, top, right, bottom))
    pixels = torch.from_numpy(np.array(image, dtype=np.float32, ndmin=3))
    if image.mode == "RGB":
        pixels = pixels.permute(2, 0, 1)
    width, height = sides
    resized = F.interpolate(pixels[None], (height, width), mode=resampling, align_corners=False)[0]
    rounded = resized.round().clamp(0, 255).to(torch.uint8)
    return Image.fromarray((rounded.permute(1, 2, 0) if image.mode == "RGB" else rounded[0]).numpy())
