"""Classification heads. A head is made anew for every task, and it is that task's classification loss."""

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from holdfast.base import ConfigError, PartConfig
from holdfast.models.codes import Quantizer
from holdfast.models.cosines import cosines


class Head(nn.Module):
    """Scaled cosines between embeddings and class directions, a margin on the true class, cross-entropy.

    `directions` (classes, d) are learned if they are an `nn.Parameter` and fixed otherwise; they need not
    have unit norm. `margin` maps the true classes' cosines to what they count as. Everything is computed in
    float32, under autocast too.
    """

    def __init__(
        self, directions: Tensor, scale: float, margin: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        super().__init__()
        self.scale = scale
        self._margin = margin
        if isinstance(directions, nn.Parameter):
            self.directions = directions
        else:
            # Rebuilt from the config, so a checkpoint need not hold it.
            self.register_buffer("directions", directions, persistent=False)

    @property
    def classes(self) -> int:
        """How many classes it tells apart."""
        return len(self.directions)

    def take_matrix(self, matrix: Tensor | None) -> None:
        """Keep to the assignment matrix of a parent. Here nothing is assigned."""

    def leave_matrix(self, matrix: Tensor | None) -> None:
        """Write it into that of an encoder. Here there is none."""

    def unit_directions(self) -> Tensor:
        """The directions (classes, d) float32 as they are now, of unit norm, without gradient."""
        return F.normalize(self.directions.detach().float())

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Mean loss (float32 scalar) of unit embeddings (b, d) with labels (b,) int64 in [0, classes)."""
        cosines = self._cosines(embeddings)
        if self._margin is not None:
            target = labels[:, None]
            cosines = cosines.scatter(1, target, self._margin(cosines.gather(1, target)))
        return F.cross_entropy(self.scale * cosines, labels)

    def logits(self, embeddings: Tensor) -> Tensor:
        """Scaled cosines (b, classes) float32, without the margin."""
        return self.scale * self._cosines(embeddings)

    def _cosines(self, embeddings: Tensor) -> Tensor:
        with torch.autocast(embeddings.device.type, enabled=False):
            return cosines(embeddings.float(), self.directions.float())


class HeadConfig(PartConfig):
    """Base of the configs of all heads, built in or not. What a head has no use for does nothing."""

    learns: ClassVar[bool] = True
    """Whether its directions are learned, rather than fixed."""
    may_turn: ClassVar[bool] = True
    """Whether it means the same in a space that was rotated, with its directions."""

    @abstractmethod
    def build(self, dimension: int, classes: int, numbers: Sequence[int] | None = None) -> Head:
        """A head for `classes` classes; `numbers` are their places in the stream, 0 to n - 1.

        Raises ConfigError where they, or the dimension, do not fit.
        """

    def check_dimension(self, dimension: int) -> None:
        """Raises ValueError for a dimension of embeddings which it cannot have."""

    def check_parent(self, dimension: int, parent_dimension: int, theirs: "HeadConfig") -> None:
        """Refuse a parent, with the head `theirs`, whose codes could not be searched. Raises ConfigError."""

    def new_matrix(self, dimension: int) -> Tensor | None:
        """A first assignment matrix (books, width, words) for an encoder; None where nothing is assigned."""
        return None

    def settle_matrix(
        self, matrix: Tensor | None, kept: Tensor | None, read: Callable[[], np.ndarray]
    ) -> None:
        """What an encoder's assignment matrix becomes once everything else is learned; here it stays.

        Args:
            kept: the parent's. read: embeds what was learned, some of it where that is much: float32 (n, d),
                unit norm.
        """

    def quantizer(self, dimension: int, matrix: Tensor | None) -> Quantizer | None:
        """What makes and reads the codes of a version with this assignment matrix; None if it has none."""
        return None


class NormalizedSoftmaxConfig(HeadConfig):
    """Learned directions, no margin."""

    kind: Literal["softmax"] = "softmax"
    scale: float = Field(16, gt=0)

    def build(self, dimension: int, classes: int, numbers: Sequence[int] | None = None) -> Head:
        return Head(_learned(dimension, classes), self.scale)


class CosFaceConfig(HeadConfig):
    """Learned directions; the true class's cosine counts `margin` less (Wang et al. 2018, eq. 4)."""

    kind: Literal["cosface"] = "cosface"
    scale: float = Field(16, gt=0)
    margin: float = Field(0.2, ge=0, lt=1)

    def build(self, dimension: int, classes: int, numbers: Sequence[int] | None = None) -> Head:
        return Head(_learned(dimension, classes), self.scale, partial(cosine_margin, margin=self.margin))


class ArcFaceConfig(HeadConfig):
    """Learned directions; the true class's angle counts `margin` radians more (Deng et al. 2019, eq. 3)."""

    kind: Literal["arcface"] = "arcface"
    scale: float = Field(16, gt=0)
    margin: float = Field(0.2, ge=0, lt=math.pi / 2)

    def build(self, dimension: int, classes: int, numbers: Sequence[int] | None = None) -> Head:
        return Head(_learned(dimension, classes), self.scale, partial(_angle_margin, margin=self.margin))


class SimplexConfig(HeadConfig):
    """Fixed directions: the vertices of one regular simplex, reserved for `classes` classes of all tasks.

    A class has the same vertex in every task, and new classes take vertices that no earlier one has used
    (CoReS, Biondi et al. 2023, section 3.2). A simplex of n vertices needs n - 1 dimensions.
    """

    learns: ClassVar[bool] = False

    kind: Literal["simplex"] = "simplex"
    scale: float = Field(16, gt=0)
    classes: int = Field(1024, ge=2)

    def build(self, dimension: int, classes: int, numbers: Sequence[int] | None = None) -> Head:
        """A head for the vertices `numbers`, one a class: the classes' places in the stream, 0 to n - 1.

        Without `numbers` they are the first ones. Raises ConfigError when the simplex does not fit the
        dimension, or has too few vertices.
        """
        places = list(range(classes)) if numbers is None else list(numbers)
        if dimension < self.classes - 1:
            raise ConfigError(
                f"model.head.classes is {self.classes} and model.dimension is {dimension}; a simplex has at "
                f"most dimension + 1 vertices: head.classes may be at most {dimension + 1}, "
                f"or dimension at least {self.classes - 1}."
            )
        needed = max(places) + 1
        if needed > self.classes:
            raise ConfigError(
                f"model.head.classes is {self.classes}, but the stream has {needed} classes by this task: "
                f"head.classes must be at least {needed} and model.dimension at least {needed - 1}."
            )
        vertices = F.pad(_simplex(self.classes)[places], (0, dimension - (self.classes - 1)))
        return Head(vertices, self.scale)


def _learned(dimension: int, classes: int) -> nn.Parameter:
    return nn.Parameter(F.normalize(torch.randn(classes, dimension)))


def cosine_margin(cosines: Tensor, margin: float) -> Tensor:
    """The true classes' cosines as CosFace counts them."""
    return cosines - margin


def _angle_margin(cosines: Tensor, margin: float) -> Tensor:
    """cos(angle + margin) while angle + margin stays below pi.

    Beyond it the cosine would rise again and reward the worst embeddings, so there it goes on falling as
    cosine - margin sin(margin), like ArcFace's reference implementation without "easy margin".
    """
    # The floor keeps the slope of the root finite at an angle of exactly 0 or pi.
    sines = (1 - cosines.square()).clamp_min(1e-6).sqrt()
    shifted = cosines * math.cos(margin) - sines * math.sin(margin)
    return torch.where(cosines > -math.cos(margin), shifted, cosines - margin * math.sin(margin))


def _simplex(vertices: int) -> Tensor:
    """Unit vectors (n, n - 1) float32 whose pairwise cosines are all -1 / (n - 1)."""
    d = vertices - 1
    corners = math.sqrt(1 + 1 / d) * torch.eye(d, dtype=torch.float64) - (math.sqrt(d + 1) + 1) / d**1.5
    last = torch.full((1, d), 1 / math.sqrt(d), dtype=torch.float64)
    return torch.cat([corners, last]).float()
