"""What a file says of its input and its outputs, and what follows from that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from holdfast.base import ConfigError

Order = Literal["NCHW", "NHWC"]
Shape = Sequence[int | None]
"""None stands for a side of any length."""

_USUAL = ("embeddings", "image_embeds", "text_embeds")
"""What exporters call the embedding where there are other outputs."""


@dataclass(frozen=True)
class ImageInput:
    """What a network's input fixes.

    Args:
        order: where its channels are.
        batch, channels: how many it takes; sides: height and width. None: any.
        raw: it takes uint8 pixels.
    """

    order: Order
    batch: int | None
    channels: int | None
    sides: tuple[int | None, int | None]
    raw: bool


def read_input(shape: Shape, raw: bool, named: str) -> ImageInput:
    """Raises ConfigError for what is no stack of images of 1 or 3 channels."""
    if len(shape) != 4:
        raise ConfigError(f"{named} takes an input of shape {written(shape)}: images are of rank 4.")
    batch, first, middle, last = shape
    if first in (1, 3):
        return ImageInput("NCHW", batch, first, (middle, last), raw)
    if last in (1, 3):
        return ImageInput("NHWC", batch, last, (first, middle), raw)
    if first is None:
        return ImageInput("NCHW", batch, None, (middle, last), raw)
    raise ConfigError(
        f"{named} takes images of shape {written(shape)}: 1 or 3 channels are possible, in the second place "
        "or in the last."
    )


def choose_output(outputs: Mapping[str, Shape], wished: str | None, named: str) -> str:
    """The name of the output that is the embedding. Raises ConfigError where it has to be said, or is not
    there."""
    if wished is None and len(outputs) == 1:
        return next(iter(outputs))
    if wished is not None and wished in outputs:
        return wished
    usual = [name for name in outputs if name in _USUAL]
    if wished is None and len(usual) == 1:
        return usual[0]
    listed = ", ".join(f"{name} {written(shape)}" for name, shape in outputs.items())
    if wished is None:
        raise ConfigError(f"{named} has several outputs: say by --output which is the embedding ({listed}).")
    raise ConfigError(f"{named} has no output {wished!r}: it has {listed}.")


def written(shape: Shape) -> str:
    """(?, 3, 224, 224)"""
    return f"({', '.join('?' if side is None else str(side) for side in shape)})"
