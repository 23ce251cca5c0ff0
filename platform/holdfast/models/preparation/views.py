"""What an encoder makes of its pixels before anything else: nothing, edges, or local binary patterns.

Functions of pixels (b, c, s, s) float32 in [0, 1], each channel by itself, to the same shape and range. They
are part of the network's forward pass, so a served or an exported encoder applies them itself.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

View = Literal["plain", "edges", "local-binary-patterns"]

# The eight neighbours of a pixel, clockwise from the upper left: rows and columns of a 3 x 3 window.
_AROUND = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))


def view_pixels(view: View, pixels: Tensor) -> Tensor:
    """The pixels as the network is to see them."""
    match view:
        case "plain":
            return pixels
        case "edges":
            return edges(pixels)
        case "local-binary-patterns":
            return local_binary_patterns(pixels)


def edges(pixels: Tensor) -> Tensor:
    """The length of Sobel's gradient, a quarter of it and 1 at most; the border is repeated outwards."""
    a, b, c, d, e, f, g, h = _neighbours(pixels)
    across = (c + 2 * d + e) - (a + 2 * h + g)
    down = (g + 2 * f + e) - (a + 2 * b + c)
    # The root's slope at zero is infinite, and an attack follows slopes.
    return ((across.square() + down.square() + 1e-12).sqrt() / 4).clamp_max(1)


def local_binary_patterns(pixels: Tensor) -> Tensor:
    """Which of a pixel's eight neighbours are as bright as it is, or brighter: a number of 8 bits over 255
    (Ojala et al. 1996). It has no slope, and no uniform change of brightness alters it."""
    # Half a grey level is rounding: interpolated pixels of a flat area are equal but for that.
    bits = [(neighbour - pixels >= -0.5 / 255).to(pixels.dtype) for neighbour in _neighbours(pixels)]
    return torch.stack([bit * 2**place for place, bit in enumerate(bits)]).sum(0) / 255


def _neighbours(pixels: Tensor) -> list[Tensor]:
    height, width = pixels.shape[-2:]
    padded = F.pad(pixels, (1, 1, 1, 1), mode="replicate")
    return [padded[..., row : row + height, column : column + width] for row, column in _AROUND]
