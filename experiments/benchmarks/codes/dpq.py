"""Deep product quantization with learned code books (Klein and Wolf 2019, arXiv 1711.08589): the baseline.

A reconstruction [R] from methods.md, section 6b: cross-entropy on the soft and on the hard reconstruction,
the joint centre loss (0.25), Gini diversity (1.0) and sharpness (0.01). What is not said there is chosen as
in the head of OPQN: the same sub-vectors, the same assignment by one matrix a book.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from holdfast.models import CodeShape, Head

CENTRES, DIVERSITY, SHARPNESS = 0.25, 1.0, 0.01


class DPQHead(Head):
    """Sub-vectors x_m (of unit embeddings times sqrt(d)), p_m = softmax(x_m U_m), soft_m = p_m C_m and
    hard_m the word of the largest p_m, through which the gradient goes as through soft_m."""

    def __init__(self, shape: CodeShape, classes: int) -> None:
        d = shape.dimension
        super().__init__(nn.Parameter(nn.init.xavier_normal_(torch.empty(classes, d))), scale=1.0)
        self.shape = shape
        self.matrix = nn.Parameter(
            torch.stack(
                [nn.init.xavier_normal_(torch.empty(shape.width, shape.words)) for _ in range(shape.books)]
            )
        )
        self.words = nn.Parameter(torch.randn(shape.books, shape.words, shape.width) / shape.width**0.5)
        self.centres = nn.Parameter(torch.zeros(classes, d))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        with torch.autocast(embeddings.device.type, enabled=False):
            shares, soft, hard = self.quantize(embeddings.float())
            through = hard + soft - soft.detach()
            classified = sum(F.cross_entropy(v @ self.directions.T, labels) for v in (soft, through))
            own = self.centres[labels]
            centred = ((soft - own).square().sum(1) + (through - own).square().sum(1)).mean() / 2
            diversity = shares.mean(dim=0).square().sum(dim=1).mean()
            sharpness = shares.square().sum(dim=2).mean()
            return classified + CENTRES * centred + DIVERSITY * diversity - SHARPNESS * sharpness

    def quantize(self, embeddings: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """p (n, books, words), and the soft and the hard reconstruction, (n, d) each."""
        shape = self.shape
        parts = shape.dimension**0.5 * embeddings.unflatten(1, (shape.books, shape.width))
        shares = torch.softmax(torch.einsum("nmd,mdk->nmk", parts, self.matrix), dim=2)
        chosen = F.one_hot(shares.argmax(dim=2), shape.words).float()
        soft, hard = (torch.einsum("nmk,mkd->nmd", p, self.words).flatten(1) for p in (shares, chosen))
        return shares, soft, hard

    @torch.inference_mode()
    def reconstruct(self, embeddings: np.ndarray, hard: bool) -> np.ndarray:
        """Entries (hard) or queries (soft) as they are compared, by Euclidean distance: float32 (n, d)."""
        found = self.quantize(torch.from_numpy(embeddings))[2 if hard else 1]
        return found.numpy()
