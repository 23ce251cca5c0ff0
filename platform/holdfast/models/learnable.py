"""What is learned here and becomes a version: a network of images, or a map over a base's vectors."""

import hashlib
import json
from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

from holdfast.base import StoreError
from holdfast.models.codes import Quantizer
from holdfast.models.identity import Identity

if TYPE_CHECKING:
    from holdfast.models.encoder import ModelConfig

WEIGHTS = "weights.safetensors"
FORMAT = 1


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
        self._turned = False
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
    def embed(self, images: Any, batch_size: int | None = None) -> np.ndarray:
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

    def as_learned(self) -> Self:
        """What the next version is learned from: without what is done to a version once it has learned."""
        return self

    def rotate(self, rotation: Tensor) -> None:
        """From now on write every embedding z (d,) as z @ rotation, (d, d) orthogonal."""
        self.rotation.copy_(self.rotation @ rotation)
        self._turned = True

    def turn(self, vectors: Tensor) -> Tensor:
        """Vectors (b, d) in the frame in which embeddings are written."""
        return vectors @ self.rotation if self._turned else vectors

    def _load_from_state_dict(self, state: Mapping[str, Tensor], prefix: str, *rest: object) -> None:
        super()._load_from_state_dict(state, prefix, *rest)
        # Seldom, and a product with the identity takes half the time of a step over wide vectors.
        self._turned = not torch.equal(self.rotation, torch.eye(self.dimension).to(self.rotation))

    @property
    def quantizer(self) -> Quantizer | None:
        """What makes compact codes of the embeddings; None for one that did not learn to have any."""
        return self.config.head.quantizer(self.dimension, self.assignment)


def write_learned(folder: Path, file: str, config: "ModelConfig", contract: Identity, weights: bytes) -> None:
    """Write the weights, and beside them the description, named `file`, that promises them."""
    description = {
        "format": FORMAT,
        "config": config.model_dump(mode="json"),
        "contract": contract.model_dump(mode="json"),
        "contract_id": contract.id,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WEIGHTS).write_bytes(weights)
    (folder / file).write_text(json.dumps(description, indent=2, sort_keys=True) + "\n")


def read_weights(folder: Path, file: str, promised: str) -> dict[str, Tensor]:
    """The weights that `write_learned` wrote, by name.

    Args:
        file: the description. promised: the SHA-256 that it gives.

    Raises StoreError naming a file that is not intact.
    """
    path = folder / WEIGHTS
    try:
        weights = path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}.") from error
    if hashlib.sha256(weights).hexdigest() != promised:
        raise StoreError(f"{path} is damaged: its SHA-256 is not the one that {file} promises.")
    return safetensors.torch.load(weights)
