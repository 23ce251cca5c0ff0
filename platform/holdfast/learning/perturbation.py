"""Perturbed copies of training images, within a small ball around each: adversarial ones, or mere noise.

An encoder that learns from clean and adversarial images together keeps what does not break under a small
change, and that is what transfers (Yang et al. 2023, "Robust metric transfer using joint adversarial
training"; only its abstract is public, so the losses are a reconstruction: methods section 5b).
"""

import math
from collections.abc import Callable
from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from holdfast.base import ConfigError, Settings
from holdfast.models import Head, Preprocessing

Map = Callable[[Tensor], Tensor]
"""Of pixels (b, c, s, s) float32."""


class _Ball(Settings):
    weight: float = Field(default=1.0, ge=0)
    """Of the classification loss on the perturbed images, beside 1 for that on the clean ones."""
    norm: Literal["linf", "l2"] = "linf"
    """What is bounded: the change of every pixel, or the Euclidean length of the change of an image."""
    epsilon: float = Field(default=0.0157, gt=0)
    """The bound. Pixels lie between 0 and 1, so a grey level is 1/255, and four are the default."""

    @model_validator(mode="after")
    def _lies_in_the_pixel_range(self) -> "_Ball":
        if self.norm == "linf" and self.epsilon > 1:
            raise ValueError(
                f"epsilon is {self.epsilon:g}, but pixels lie between 0 and 1: allowed are numbers above 0 "
                "and up to 1, such as 0.0157 for 4 grey levels"
            )
        return self


class _Attack(_Ball):
    objective: Literal["loss", "embedding"] = "loss"
    """What is attacked: the classification loss, or the squared distance to the clean image's embedding."""
    random_start: bool = True
    """Begin at a random place in the ball rather than at the image."""

    @model_validator(mode="after")
    def _has_a_slope(self) -> "_Attack":
        if self.objective == "embedding" and not self.random_start:
            raise ValueError(
                "an attack on the embedding cannot begin at the image, where the distance has no slope; "
                "random_start must be true"
            )
        return self


class FgsmConfig(_Attack):
    """One step as far as the ball reaches, along the sign of the gradient (l2: along the gradient), as
    Goodfellow et al. 2015; with a random start, as Wong et al. 2020."""

    kind: Literal["fgsm"] = "fgsm"

    @property
    def steps(self) -> int:
        return 1

    @property
    def stride(self) -> float:
        """How far a step goes."""
        return self.epsilon


class PgdConfig(_Attack):
    """Steps along the gradient, each brought back into the ball (Madry et al. 2018)."""

    kind: Literal["pgd"] = "pgd"
    steps: int = Field(default=5, ge=1)
    step_size: float | None = Field(default=None, gt=0)
    """How far a step goes; none: 2.5 epsilon / steps, and epsilon at most."""

    @property
    def stride(self) -> float:
        """How far a step goes."""
        return self.step_size or min(self.epsilon, 2.5 * self.epsilon / self.steps)


class NoiseConfig(_Ball):
    """Random changes as large as an attack's: every pixel by epsilon up or down (l2: of length epsilon)."""

    kind: Literal["noise"] = "noise"


PerturbationConfig = Annotated[FgsmConfig | PgdConfig | NoiseConfig, Field(discriminator="kind")]


def check_perturbation(config: PerturbationConfig, preprocessing: Preprocessing) -> None:
    """Raises ConfigError for what can be no perturbation of such images; called before training."""
    if preprocessing.view == "local-binary-patterns" and not isinstance(config, NoiseConfig):
        raise ConfigError(
            f"learning.adversarial.kind is {config.kind}, but local binary patterns have no slope to follow: "
            "model.preprocessing.view may be plain or edges, or the kind noise."
        )
    longest = math.sqrt(preprocessing.channels) * preprocessing.size
    if config.norm == "l2" and config.epsilon > longest:
        images = f"{preprocessing.channels} x {preprocessing.size} x {preprocessing.size}"
        raise ConfigError(
            f"learning.adversarial.epsilon is {config.epsilon:g}, but two images of {images} pixels between "
            f"0 and 1 are at most {longest:.4g} apart: allowed are numbers above 0 and up to {longest:.4g}."
        )


def draw_start(
    config: PerturbationConfig, shape: tuple[int, int, int, int], generator: torch.Generator
) -> Tensor:
    """Where the perturbations of a whole global batch begin: changes float32 `shape`, within the ball.

    Noise is finished with that. Drawn on the CPU, so that it does not depend on how many workers share the
    batch.
    """
    if not isinstance(config, NoiseConfig) and not config.random_start:
        return torch.zeros(shape)
    if config.norm == "linf":
        drawn = torch.rand(shape, generator=generator) * 2 - 1
        return config.epsilon * (drawn.sign() if isinstance(config, NoiseConfig) else drawn)
    directions = _unit(torch.randn(shape, generator=generator))
    if isinstance(config, NoiseConfig):
        return config.epsilon * directions
    # The root makes all places in the ball alike likely.
    radii = torch.rand((shape[0], 1, 1, 1), generator=generator) ** (1 / math.prod(shape[1:]))
    return config.epsilon * radii * directions


def attacked_loss(config: PerturbationConfig, encode: Map, head: Head, pixels: Tensor, labels: Tensor) -> Map:
    """What an attack on images raises: the loss of `head` on them, or their distance from where they were.

    Args:
        encode: pixels (b, c, s, s) -> embeddings (b, d). `labels` are int64 (b,).
    """
    if not isinstance(config, NoiseConfig) and config.objective == "embedding":
        with torch.no_grad():
            clean = encode(pixels)
        return lambda found: (encode(found) - clean).square().sum()
    return lambda found: head(encode(found), labels)


def perturb(config: PerturbationConfig, pixels: Tensor, start: Tensor, loss: Map) -> Tensor:
    """Perturbed copies of images, within the ball around each and within the pixel range.

    Args:
        pixels: float32 (b, c, s, s) in [0, 1].
        start: the images' rows of what `draw_start` gave, on the device of the pixels.
        loss: the scalar that an attack raises; noise never asks for it. Each image's share in it may depend
            on that image alone.

    Returns:
        float32 (b, c, s, s), without gradient.
    """
    pixels = pixels.detach()
    found = _into_the_ball(config, pixels, pixels + start)
    if isinstance(config, NoiseConfig):
        return found
    for _ in range(config.steps):
        found.requires_grad_(True)
        (slope,) = torch.autograd.grad(loss(found), found)
        direction = slope.sign() if config.norm == "linf" else _unit(slope)
        found = _into_the_ball(config, pixels, found.detach() + config.stride * direction)
    return found


def _into_the_ball(config: PerturbationConfig, pixels: Tensor, found: Tensor) -> Tensor:
    """The nearest place in the ball, then in the pixel range, which leads no further from the image."""
    change = found - pixels
    if config.norm == "linf":
        change = change.clamp(-config.epsilon, config.epsilon)
    else:
        lengths = change.flatten(1).norm(dim=1).clamp_min(1e-12)
        change = change * (config.epsilon / lengths).clamp_max(1)[:, None, None, None]
    return (pixels + change).clamp(0, 1)


def _unit(changes: Tensor) -> Tensor:
    """Each image's change at length 1; one that is zero stays zero."""
    return changes / changes.flatten(1).norm(dim=1).clamp_min(1e-12)[:, None, None, None]
