"""A distorted view of an image: what somebody else's photograph of the same thing might look like."""

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

_SHARE = (0.25, 0.7)
"""Of the area that is kept."""
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
