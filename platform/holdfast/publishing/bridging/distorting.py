"""A distorted view of an image: what somebody else's photograph of the same thing might look like."""

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

_SHARE = (0.25, 0.7)
"""Of the area that is kept."""
_KEPT = (0.6, 1.0)
"""Of the shorter side, by `crop`."""
_TURN = 12.0
"""Degrees at most, either way."""
_JITTER = 0.3


def distort(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """A part of the image, turned a little, perhaps mirrored, brighter or darker; RGB."""
    picture = image.convert("RGB").rotate(
        generator.uniform(-_TURN, _TURN), Image.Resampling.BILINEAR, fillcolor=(127, 127, 127)
    )
    side = float(np.sqrt(generator.uniform(*_SHARE)))
    width, height = (max(1, round(side * length)) for length in picture.size)
    left = int(generator.integers(0, picture.width - width + 1))
    upper = int(generator.integers(0, picture.height - height + 1))
    picture = picture.crop((left, upper, left + width, upper + height))
    if generator.random() < 0.5:
        picture = ImageOps.mirror(picture)
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        picture = enhance(picture).enhance(1 + generator.uniform(-_JITTER, _JITTER))
    return picture


def crop(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """Most of the image, perhaps mirrored: near enough to be met in a gallery, and another point of both
    spaces; RGB."""
    picture = image.convert("RGB")
    side = generator.uniform(*_KEPT) * min(picture.size)
    width, height = picture.size if min(picture.size) < 2 else (max(1, int(side)),) * 2
    left = int(generator.integers(0, picture.width - width + 1))
    upper = int(generator.integers(0, picture.height - height + 1))
    picture = picture.crop((left, upper, left + width, upper + height))
    return ImageOps.mirror(picture) if generator.random() < 0.5 else picture
