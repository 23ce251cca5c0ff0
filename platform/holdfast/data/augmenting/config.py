"""How far images are distorted."""

from typing import Annotated, Self

from pydantic import Field

from holdfast.base import Settings

Amplitude = Annotated[float, Field(ge=0)]
Jitter = Annotated[float, Field(ge=0, lt=1)]
Chance = Annotated[float, Field(ge=0, le=1)]


def _unsaid(value: object) -> bool:
    return value is None


class AugmentConfig(Settings):
    """How far images are distorted; 0 switches a distortion off. The defaults follow `model.trunk`: over a
    pretrained one and three channels they suit photographs, and else written characters, as shown here.

    Every amount is drawn evenly from minus to plus its amplitude, for each image.
    """

    rotate: Annotated[float, Field(ge=0, le=180)] = 12.0
    """Degrees. Photographs: 0."""
    scale: Jitter = 0.15
    """Width and height are each scaled by 1 - scale to 1 + scale. Photographs: 0."""
    shift: Jitter = 0.1
    """Share of the width and of the height. Photographs: 0."""
    shear: Annotated[float, Field(ge=0, le=60)] = 10.0
    """Degrees, along the horizontal. Photographs: 0."""
    flip: bool = False
    """Mirror left and right, every other image. Photographs: true."""
    brightness: Jitter = 0.2
    contrast: Jitter = 0.2
    saturation: Jitter = 0.2
    """The three factors 1 - amplitude to 1 + amplitude; of 3-channel images only."""
    hue: Annotated[float, Field(ge=0, le=180)] | None = Field(None, exclude_if=_unsaid)
    """Degrees around the circle of colours; of 3-channel images only. Photographs: 0."""
    crop: Annotated[float, Field(gt=0, le=1)] | None = Field(None, exclude_if=_unsaid)
    """A part of the image fills it (Szegedy et al. 2015): of this share of its area at least, and of 3:4 to
    4:3. 1 is the whole image. Photographs: 0.4."""
    erase: Chance | None = Field(None, exclude_if=_unsaid)
    """How often a rectangle of 2 % to a third of the image takes its mean colour (Zhong et al. 2020).
    Photographs: 0.25."""
    blur: Chance | None = Field(None, exclude_if=_unsaid)
    """How often the image is blurred: a Gaussian of up to a hundredth of its side. Photographs: 0."""
    mixup: Annotated[float, Field(ge=0, le=10)] | None = Field(None, exclude_if=_unsaid)
    """The alpha of mixup (Zhang et al. 2018): each image is mixed with another one of its batch, and is
    learned as both. Photographs: 0."""

    def over(self, default: Self) -> Self:
        """What is said here, and for what is not what `default` says."""
        said = {name: value for name in self.model_fields_set if (value := getattr(self, name)) is not None}
        return type(self).model_validate({**default.model_dump(), **said})


PHOTOGRAPHS = AugmentConfig(
    rotate=0, scale=0, shift=0, shear=0, flip=True, hue=0, crop=0.4, erase=0.25, blur=0, mixup=0
)
"""What suits photographs: they stand upright, show a thing at any distance, and other things before it."""
