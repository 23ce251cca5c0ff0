"""What is learned here and becomes a version: a network of images, or a map over a base's vectors."""

from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.models.identity import Identity
from holdfast.models.quantizer import Quantizer

if TYPE_CHECKING:
    from holdfast.models.encoder import ModelConfig


class Learnable(nn.Module):
    """A network whose inputs are the rows of an array, and whose outputs are of unit norm.

    Attributes:
        reads: what the inputs are, in a word: their name in an exported file.
        rotation: (d, d), the frame in which the embeddings are written, the identity unless `rotate` was
            called; it is not learned, and passes on to whoever starts from these weights.
        assignment: of codes, where a lineage has learned one; the rest of a head is not part of a network.
    """

    reads: ClassVar[str]
    rotation: Tensor
    assignment: Tensor | None

    def __init__(self, config: "ModelConfig") -> None:
        super().__init__()
        self.config = config
        self.dimension = config.dimension
        self.register_buffer("rotation", torch.eye(config.dimension))
        self.register_buffer("assignment", None)

    @abstractmethod
    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs (b, ...) -> (b, dimension) float32 of unit norm."""

    @abstractmethod
    def compute(self, inputs: Tensor) -> Tensor:
        """What `forward` gives where nothing is cast by itself: all that an exported file holds."""

    @abstractmethod
    def probes(self) -> np.ndarray:
        """Inputs that it can always be asked about, (n, ...), always the same."""

    @abstractmethod
    def embed(self, images: Any, batch_size: int = 512) -> np.ndarray:
        """An array of inputs -> float32 (n, dimension) of unit norm, in evaluation mode."""

    @abstractmethod
    def contract(self) -> Identity:
        """What its embeddings depend on, as it is now."""

    @abstractmethod
    def save(self, folder: Path) -> Identity:
        """Write what `load_model` reads; the same network gives the same bytes."""

    def begin_at(self, read: Callable[[], np.ndarray]) -> None:
        """Begin where it is best to begin for the inputs (n, ...) that `read` gives, before anything is
        learned: most begin as they were drawn."""

    def begin(self, config: "ModelConfig") -> None:
        """Make it ready to learn, as `config` has it. Raises ConfigError."""

    def settle(self) -> None:
        """What was added for the time of learning becomes part of its weights."""

    def rotate(self, rotation: Tensor) -> None:
        """From now on write every embedding z (d,) as z @ rotation, (d, d) orthogonal."""
        self.rotation.copy_(self.rotation @ rotation)

    @property
    def quantizer(self) -> Quantizer | None:
        """What makes compact codes of the embeddings; None for one that did not learn to have any."""
        return self.config.head.quantizer(self.dimension, self.assignment)
