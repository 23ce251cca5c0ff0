"""A linear map that may leave the rotations, but only so far."""

from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from holdfast.adapters.linear import LinearAdapter
from holdfast.adapters.procrustes import procrustes
from holdfast.adapters.settings import AdapterConfig
from holdfast.adapters.vectors import check_pairs


class LambdaOrthogonalConfig(AdapterConfig):
    """argmin_W ||S W - T||_F^2 / n + weight sigmoid(sharpness (o - slack)) o, o = ||W W^T - I||_F.

    Lambda-Orthogonality (NeurIPS 2025; methods section 8): `slack` is its lambda, within which a map is free.
    The paper's downstream adapter, fitted to the pairs alone: without its forward map and contrastive terms.
    The sharpness (its a) and what lambda is at other dimensions are a reconstruction.
    """

    kind: Literal["lambda-orthogonal"] = "lambda-orthogonal"
    slack: Annotated[float, Field(ge=0)] | Literal["auto"] = "auto"
    """`auto`: 12 sqrt(d / 1024) with d = min(d_s, d_t), the paper's 12 at 1024 dimensions. If all squared
    singular values are off by the same share, o grows as sqrt(d)."""
    sharpness: float = Field(default=10.0, gt=0)
    weight: float = Field(default=1.0, ge=0)
    learning_rate: float = Field(default=1e-3, gt=0)
    steps: int = Field(default=500, ge=0)

    def fit(self, source: np.ndarray, target: np.ndarray, seed: int = 0) -> LinearAdapter:
        """From pairs float32 (n, d_s) and (n, d_t), unit norm. `seed` is not used: nothing is drawn.

        Adam from the Procrustes rotation on, with the gradient over all pairs; a step costs no more for more
        pairs. Raises InvalidVectorError or DataError for pairs that cannot be fitted.
        """
        source, target = check_pairs(source, target)
        gram = torch.from_numpy(source.T @ source / len(source))
        cross = torch.from_numpy(source.T @ target / len(source))
        squares = float((target**2).sum() / len(target))
        slack = default_slack(min(cross.shape)) if self.slack == "auto" else self.slack
        matrix = torch.from_numpy(procrustes(cross.numpy())).requires_grad_()
        optimizer = torch.optim.Adam([matrix], lr=self.learning_rate)
        for _ in range(self.steps):
            optimizer.zero_grad()
            error = (matrix * (gram @ matrix - 2 * cross)).sum() + squares
            (error + self.weight * orthogonality_penalty(matrix, slack, self.sharpness)).backward()
            optimizer.step()
        return LinearAdapter.of(matrix.detach().numpy())


def default_slack(dimension: int) -> float:
    return 12.0 * (dimension / 1024) ** 0.5


def orthogonality_penalty(matrix: Tensor, slack: float, sharpness: float) -> Tensor:
    """sigmoid(a (o - lambda)) o for W (d_s, d_t), o = ||W W^T - I||_F, or of W^T W where that is smaller.

    The larger Gram matrix of a W that is not square has too low a rank ever to be the identity.
    """
    gram = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    off = gram - torch.eye(len(gram), dtype=matrix.dtype)
    # The root has no gradient at zero, which is where a fit starts.
    distance = torch.sqrt((off**2).sum() + 1e-12)
    return torch.sigmoid(sharpness * (distance - slack)) * distance
