"""The drift adapter's nonlinear form: a rotation and what a small network adds to it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from holdfast.adapters.adapter import Adapter, unit_rows
from holdfast.adapters.procrustes import procrustes
from holdfast.adapters.settings import AdapterConfig
from holdfast.adapters.tensors import take
from holdfast.adapters.vectors import check_pairs, check_vectors


@dataclass(frozen=True, eq=False)
class ResidualMLPAdapter(Adapter):
    """x -> normalized x R + relu(x A + a) B + b.

    Attributes:
        rotation: R, float32 (d_s, d_t).
        inner, inner_bias: A, a, float32 (d_s, h), (h,).
        outer, outer_bias: B, b, float32 (h, d_t), (d_t,).
    """

    kind: ClassVar[str] = "residual-mlp"

    rotation: np.ndarray
    inner: np.ndarray
    inner_bias: np.ndarray
    outer: np.ndarray
    outer_bias: np.ndarray

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray]) -> Self:
        """Raises StoreError if these are not the tensors of a residual network."""
        shapes = {
            "rotation": ("source", "target"),
            "inner": ("source", "hidden"),
            "inner_bias": ("hidden",),
            "outer": ("hidden", "target"),
            "outer_bias": ("target",),
        }
        return cls(**take(cls.kind, tensors, shapes))

    @property
    def source_dimension(self) -> int:
        return self.rotation.shape[0]

    @property
    def target_dimension(self) -> int:
        return self.rotation.shape[1]

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        vectors = check_vectors(vectors, "source", self.source_dimension)
        hidden = np.maximum(vectors @ self.inner + self.inner_bias, 0)
        return unit_rows(vectors @ self.rotation + hidden @ self.outer + self.outer_bias)

    def tensors(self) -> dict[str, np.ndarray]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


class ResidualMLPConfig(AdapterConfig):
    """Adam on 1 - cos, from the rotation on, until a held-out fifth of the pairs has long not improved.

    Drift-Adapter (EMNLP 2025), of which we know the abstract: width, activation and training are a
    reconstruction.
    """

    kind: Literal["residual-mlp"] = "residual-mlp"
    hidden: int = Field(default=256, ge=1)
    learning_rate: float = Field(default=1e-2, gt=0)
    batch_size: int = Field(default=512, ge=1)
    epochs: int = Field(default=60, ge=0)
    patience: int = Field(default=10, ge=1)
    """Epochs without improvement after which training stops; the best epoch is kept."""

    def fit(self, source: np.ndarray, target: np.ndarray, seed: int = 0) -> ResidualMLPAdapter:
        """From pairs float32 (n, d_s) and (n, d_t), unit norm; the same seed gives the same bytes.

        The rotation is fitted on the training part alone, so that the held-out part judges both alike, and
        counts as epoch 0: on the held-out part the result is never worse than the rotation.

        Raises InvalidVectorError or DataError for pairs that cannot be fitted.
        """
        source, target = check_pairs(source, target)
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(source), generator=generator)
        x, y = torch.from_numpy(source)[order], torch.from_numpy(target)[order]
        held = max(1, len(x) // 5)
        rotation = torch.from_numpy(procrustes((x[held:].T @ y[held:]).numpy())).float()
        x, y = x.float(), y.float()

        # Unit vectors times standard normal weights give the hidden units inputs of unit variance; with zeros
        # behind them the map starts as the rotation.
        network = {
            "inner": torch.randn(x.shape[1], self.hidden, generator=generator),
            "inner_bias": torch.zeros(self.hidden),
            "outer": torch.zeros(self.hidden, y.shape[1]),
            "outer_bias": torch.zeros(y.shape[1]),
        }
        optimizer = torch.optim.Adam(
            [tensor.requires_grad_() for tensor in network.values()], lr=self.learning_rate
        )

        def loss(rows: Tensor, wanted: Tensor) -> Tensor:
            hidden = functional.relu(rows @ network["inner"] + network["inner_bias"])
            mapped = rows @ rotation + hidden @ network["outer"] + network["outer_bias"]
            return (1 - functional.cosine_similarity(mapped, wanted, dim=1)).mean()

        def held_out() -> float:
            with torch.no_grad():
                return loss(x[:held], y[:held]).item()

        best, kept, waited = held_out(), _copy(network), 0
        for _ in range(self.epochs):
            for rows in (held + torch.randperm(len(x) - held, generator=generator)).split(self.batch_size):
                optimizer.zero_grad()
                loss(x[rows], y[rows]).backward()
                optimizer.step()
            now, waited = held_out(), waited + 1
            if now < best:
                best, kept, waited = now, _copy(network), 0
            if waited >= self.patience:
                break
        return ResidualMLPAdapter(rotation=rotation.numpy(), **kept)


def _copy(network: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor.detach().numpy().copy() for name, tensor in network.items()}
