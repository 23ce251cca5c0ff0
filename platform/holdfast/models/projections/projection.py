"""A learned map over the vectors of a frozen base."""

import copy
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self

import numpy as np
import safetensors.torch
import torch
from PIL import Image
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional as F

from holdfast.base import InvalidVectorError, NotEmbeddableError, StoreError, unknown_kinds
from holdfast.models.identity import Identity
from holdfast.models.learnable import WEIGHTS, Learnable, read_weights, write_learned
from holdfast.models.model import Modality, Purpose, RawImage
from holdfast.models.preparation import MAX_PIXELS
from holdfast.models.trunks import VersionTrunkConfig

if TYPE_CHECKING:
    from holdfast.models.encoder import ModelConfig

PROJECTION = "projection.json"
"""File that says that a version is one, and which."""
BATCH = 8192
PROBES = 8
WHITENED = 1e-9
"""Of the mean variance, the least that a direction is taken to have."""


class ProjectionContract(Identity):
    """Everything that the embedding of a projection depends on.

    Attributes:
        base: the contract of the version whose vectors it maps.
    """

    weights_sha256: str
    base: str


class Projection(Learnable):
    """x -> x M / ||x M||, for vectors x (d_base,) of unit norm.

    It has no bias and no statistics, so that it is the exact map from any stored vector of the base to its
    own, and means the same for one vector as for many. It begins at the identity, padded with zeros where it
    is wider than the base; where it is narrower, `begin_at` has it begin at the principal directions.

    By itself it embeds vectors of its base alone; `ProjectedModel` is the version that it makes with it.

    Attributes:
        whitening: (d, d), by which what was learned is multiplied last, where `whiten` was called.
    """

    reads = "vectors"
    takes: frozenset[Modality] = frozenset()
    whitening: Tensor | None

    def __init__(self, config: "ModelConfig") -> None:
        super().__init__(config)
        assert config.base is not None, "a projection has a base"
        self.base, self.base_dimension = config.base.found()
        self.linear = nn.Linear(self.base_dimension, config.dimension, bias=False)
        nn.init.eye_(self.linear.weight)
        self.register_buffer("whitening", None)
        self.assignment = config.head.new_matrix(config.dimension)

    @torch.no_grad()
    def begin_at(self, read: Callable[[], np.ndarray]) -> None:
        if self.dimension < self.base_dimension:
            self.linear.weight.copy_(principal_directions(read(), self.dimension))

    def forward(self, vectors: Tensor) -> Tensor:
        """Map vectors (b, d_base) to (b, dimension), float32 of unit norm, also under autocast."""
        with torch.autocast(vectors.device.type, enabled=False):
            return self.compute(vectors.float())

    def compute(self, inputs: Tensor) -> Tensor:
        return F.normalize(self._frame(self.linear(inputs)))

    def _frame(self, mapped: Tensor) -> Tensor:
        return self.turn(mapped if self.whitening is None else mapped @ self.whitening)

    @torch.no_grad()
    def whiten(self, covariance: Tensor, power: float, shrinkage: float) -> None:
        """Even out how much vectors vary along the directions of the map as it was learned.

        Args:
            covariance: of vectors of the base, (d_base, d_base), not even scaled.
            power: see `whitening_matrix`.
            shrinkage: the same.
        """
        weight = self.linear.weight.double()
        matrix = whitening_matrix(weight @ covariance.to(weight) @ weight.T, power, shrinkage)
        self.whitening = matrix.to(self.linear.weight)

    def as_learned(self) -> Self:
        if self.whitening is None:
            return self
        learned = copy.deepcopy(self)
        learned.whitening = None
        return learned

    @classmethod
    def identity(cls, base: VersionTrunkConfig) -> Self:
        """The base itself, as a projection over it."""
        from holdfast.models.encoder import ModelConfig

        return cls(ModelConfig.of_base(base)).eval()

    def matrix(self) -> np.ndarray:
        """M, float32 (d_base, dimension): the map but for the norm."""
        with torch.no_grad():
            return self._frame(self.linear.weight.T).cpu().contiguous().numpy()

    def embed(
        self, images: np.ndarray | Sequence[Image.Image | bytes], batch_size: int | None = None
    ) -> np.ndarray:
        """Map vectors of the base, float32 (n, d_base), to float32 (n, dimension) of unit norm.

        Raises InvalidVectorError for an array of another shape.
        """
        if not isinstance(images, np.ndarray) or images.ndim != 2 or images.shape[1] != self.base_dimension:
            given = images.shape if isinstance(images, np.ndarray) else type(images).__name__
            raise InvalidVectorError(
                f"A projection maps vectors (n, {self.base_dimension}) of its base, not {given}."
            )
        batch_size = batch_size or BATCH
        embeddings = np.empty((len(images), self.dimension), np.float32)
        device = self.linear.weight.device
        with torch.inference_mode():
            for start in range(0, len(images), batch_size):
                rows = np.array(images[start : start + batch_size], np.float32)
                mapped = self(torch.from_numpy(rows).to(device))
                embeddings[start : start + batch_size] = mapped.cpu().numpy()
        return embeddings

    def probes(self) -> np.ndarray:
        rows = np.random.default_rng(0).standard_normal((PROBES, self.base_dimension)).astype(np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def prepare(self, image: RawImage, max_pixels: int = MAX_PIXELS) -> NoReturn:
        self._refuse("images")

    def embed_text(self, texts: Sequence[str], purpose: Purpose | None = None) -> NoReturn:
        self._refuse("text")

    def check(self) -> None:
        self.embed(self.probes())

    def contract(self) -> ProjectionContract:
        return self._contract(self._weights())

    def save(self, folder: Path) -> ProjectionContract:
        """Write `weights.safetensors` and `projection.json`, not the base."""
        weights = self._weights()
        contract = self._contract(weights)
        write_learned(folder, PROJECTION, self.config, contract, weights)
        return contract

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote, in evaluation mode. Raises StoreError naming a file that is not intact."""
        config, contract = _read_description(folder / PROJECTION)
        with torch.random.fork_rng(devices=[]):
            projection = cls(config)
        try:
            projection.load_state_dict(read_weights(folder, PROJECTION, contract.weights_sha256))
        except (RuntimeError, safetensors.SafetensorError) as error:
            raise StoreError(
                f"{folder / WEIGHTS} does not fit the model of its {PROJECTION}: {error}"
            ) from error
        return projection.eval()

    def _load_from_state_dict(self, state: Mapping[str, Tensor], prefix: str, *rest: object) -> None:
        whitened = prefix + "whitening" in state
        self.whitening = torch.empty_like(state[prefix + "whitening"]) if whitened else None
        super()._load_from_state_dict(state, prefix, *rest)

    def _weights(self) -> bytes:
        state = {name: tensor.detach().cpu().contiguous() for name, tensor in self.state_dict().items()}
        return safetensors.torch.save(state)

    def _contract(self, weights: bytes) -> ProjectionContract:
        digest = hashlib.sha256(weights).hexdigest()
        return ProjectionContract(dimension=self.dimension, weights_sha256=digest, base=self.base)

    def _refuse(self, what: str) -> NoReturn:
        raise NotEmbeddableError(f"A projection alone maps vectors of its base, and embeds no {what}.")


def principal_directions(vectors: np.ndarray, count: int) -> Tensor:
    """The `count` directions along which vectors (n, d) have the most length, float32 (count, d), the most
    first, each with its largest component above zero. Not centred: what all vectors share counts, too."""
    rows = torch.from_numpy(np.asarray(vectors, np.float64))
    _, directions = torch.linalg.eigh(rows.T @ rows)
    chosen = directions.T.flip(0)[:count]
    largest = chosen.gather(1, chosen.abs().argmax(1, keepdim=True))
    return (chosen * largest.sign()).float()


def whitening_matrix(covariance: Tensor, power: float, shrinkage: float) -> Tensor:
    """C^-power (d, d), C being the covariance (d, d), float64, of which a share is replaced by the
    mean variance in every direction."""
    values, directions = torch.linalg.eigh(covariance)
    values = values.clamp_min(0)
    mean = values.mean()
    evened = (1 - shrinkage) * values / mean.clamp_min(torch.finfo(values.dtype).tiny) + shrinkage
    return (directions * evened.clamp_min(WHITENED) ** -power) @ directions.T


def _read_description(path: Path) -> "tuple[ModelConfig, ProjectionContract]":
    from holdfast.models.encoder import ModelConfig

    try:
        description = json.loads(path.read_text())
        config = ModelConfig.model_validate(description["config"])
        contract = ProjectionContract.model_validate(description["contract"])
        promised = description["contract_id"]
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, ValidationError) and (missing := unknown_kinds(error)):
            raise StoreError(f"{path}: {missing[0]}") from error
        raise StoreError(f"{path} is damaged or was written by another version of Holdfast.") from error
    if contract.id != promised or contract.dimension != config.dimension:
        raise StoreError(f"{path} was changed after it was written: it is not the contract {promised}.")
    return config, contract
