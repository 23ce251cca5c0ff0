"""Orthonormal product quantization: a head under which an embedding and its compact code mean the same."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn import functional as F

from holdfast.base import ConfigError
from holdfast.models.codes import (
    MOST_WORDS,
    CodeShape,
    Counting,
    Normalization,
    Quantizer,
    code_shape,
    find_places,
    free_shape,
    length_of,
    orthonormal_codebooks,
)
from holdfast.models.heads import CosFaceConfig, Head, HeadConfig, cosine_margin

_LEAST = 1e-9
"""A share whose logarithm is taken."""


class OPQNConfig(HeadConfig):
    """Compact codes by fixed orthonormal codewords (Zhang et al. 2023, OPQN).

    `bits` of a code and `words` of a book give the number of books, bits / log2(words); each has a part of
    the embedding to itself, of at least `words` dimensions. The defaults of scale, margin and entropy are the
    paper's.

    Where the assignment is `found`, embeddings are learned as by CosFace with this scale and margin, in as
    many dimensions as one likes; entropy, hard, balance, classification and normalization do nothing.
    """

    may_turn: ClassVar[bool] = False

    kind: Literal["opqn"] = "opqn"
    bits: int = Field(32, ge=1)
    words: int = Field(16, ge=2, le=MOST_WORDS)
    """Codewords of a book, a power of two; FAISS's fast scan reads 16, and 4 or 2 as parts of 16."""
    scale: float = Field(20, gt=0)
    margin: float = Field(0.5, ge=0, lt=1)
    entropy: float = Field(0.1, ge=0)
    """Weight of the assignment's entropy: the higher, the nearer an embedding comes to its code."""
    hard: float = Field(0, ge=0)
    """Weight of classifying codes as they are stored, a codeword a book, beside embeddings and their soft
    quantization. 1, with a balance of 0.3, gives short codes of a gallery that one version fills; versions
    that come after it are less compatible, so that it is 0 by default."""
    balance: float = Field(0, ge=0)
    """Weight of the entropy of the classes' mean assignment: the higher, the more evenly words are used."""
    classification: Literal["joint", "each"] = "joint"
    """`joint`: an embedding is classified by the mean of its sub-vectors' cosines, so that the books
    complement each other, and among quantized classes too; `each`: every sub-vector by itself, as
    published."""
    assignment: Literal["codewords", "learned", "found"] = "codewords"
    """How much of a codeword is in a sub-vector: by their inner product, or by that with a matrix which the
    first version of a lineage learns, as published, and which all that come after it keep. `found`: codes are
    not for naming the classes that are learned, but for telling pairs apart, of new classes too: once its
    first version has learned, a lineage finds for every codeword a point among the embeddings, so that codes
    keep the distances between them (`find_places`). Wants 256 words."""
    normalization: Normalization = "subvector"
    """`subvector`: every sub-vector has the same norm, in training as at query time; `none`: in neither;
    `public`: at query time only, as in the public code of the paper."""
    sharpness: float = Field(8, gt=0)
    """The norm of a sub-vector in the assignment's softmax, with normalization `subvector`. More words, which
    have more dimensions, want more: 28 for 256 words."""
    counting: Counting = "logarithm"
    """What an entry's codeword counts for a query: the `logarithm` of its share in the query, whose sum is
    the likelihood of the entry's code; or the `share`, as published. Codes are the same."""

    @field_validator("words")
    @classmethod
    def _power_of_two(cls, words: int) -> int:
        if words & (words - 1):
            raise ValueError("words must be a power of two: 2, 4, 8, 16, 32, 64, 128 or 256")
        return words

    def shape(self, dimension: int) -> CodeShape:
        """The shape of the codes of embeddings of this dimension. Raises ValueError naming what fits."""
        if self.assignment == "found":
            return free_shape(self.bits, self.words)
        return code_shape(self.bits, self.words, dimension)

    def build(self, dimension: int, classes: int, numbers: Sequence[int] | None = None) -> Head:
        try:
            shape = self.shape(dimension)
        except ValueError as error:
            raise ConfigError(f"model.head: {error}.") from error
        if self.assignment == "found":
            return CosFaceConfig(scale=self.scale, margin=self.margin).build(dimension, classes)
        return OrthonormalHead(self, shape, classes)

    def check_dimension(self, dimension: int) -> None:
        self.shape(dimension)

    def new_matrix(self, dimension: int) -> Tensor | None:
        """Drawn from torch's generator, or of zeros until it is found; None if the assignment is fixed."""
        if self.assignment == "codewords":
            return None
        shape = self.shape(dimension)
        if self.assignment == "found":
            return torch.zeros(shape.books, dimension + 1, shape.words)
        return torch.stack(
            [nn.init.xavier_normal_(torch.empty(shape.width, shape.words)) for _ in range(shape.books)]
        )

    @torch.no_grad()
    def settle_matrix(
        self, matrix: Tensor | None, kept: Tensor | None, read: Callable[[], np.ndarray]
    ) -> None:
        if self.assignment != "found":
            return
        assert matrix is not None, "made by new_matrix"
        if kept is None:
            vectors = read()
            kept = find_places(vectors, self.shape(vectors.shape[1]))
        matrix.copy_(kept)

    def quantizer(self, dimension: int, matrix: Tensor | None) -> Quantizer:
        if self.assignment == "found":
            return Quantizer(
                self.shape(dimension), sharpness=self.sharpness, counting=self.counting, places=matrix
            )
        return Quantizer(self.shape(dimension), matrix, self.normalization, self.sharpness, self.counting)

    def check_parent(self, dimension: int, parent_dimension: int, theirs: HeadConfig) -> None:
        if parent_dimension != dimension:
            raise ConfigError(
                f"model.head 'opqn': the parent has dimension {parent_dimension} and model.dimension is "
                f"{dimension}; versions that read each other's codes share it: set model.dimension to "
                f"{parent_dimension}, or begin a lineage of its own with 'parent: none'."
            )
        if not isinstance(theirs, OPQNConfig):
            return
        if theirs.shape(dimension) != self.shape(dimension):
            raise ConfigError(
                f"model.head 'opqn': the parent's codes have bits {theirs.bits} and words {theirs.words}, "
                f"these bits {self.bits} and words {self.words}, so neither version reads the other's: take "
                f"over the parent's, or begin a lineage of its own with 'parent: none'."
            )
        if theirs.assignment != self.assignment:
            raise ConfigError(
                f"model.head 'opqn': the parent's codes have the assignment {theirs.assignment}, and by "
                f"{self.assignment} the same codes would mean something else: set model.head.assignment to "
                f"{theirs.assignment}, or begin a lineage of its own with 'parent: none'."
            )


class OrthonormalHead(Head):
    """CosFace on sub-vectors, on their soft quantization and on their codes, and how codewords are used.

    With p_m(x) = softmax(x_m U_m), s_m(x) = C_m p_m(x), h_m(x) the codeword of the largest p_m(x), and
    L(x, W) = CE(s (mean_m cos(x_m, W_m) - margin at y)) for directions W (classes, d), divided as embeddings
    are, L is the weighted mean of

        L(x, W), L(s(x), W), L(x, s(W)), each with weight 1; L(h(x), W), L(x, h(W)), with weight `hard`,

    + entropy mean_m H(p_m(x)) - balance mean_m H(mean of p_m(W) over the classes).

    What is asked among s(W) or h(W) is what a search does: a query that is not coded meets entries that are,
    and a direction stands for the entries of its class. The gradient goes through h as through s. Hard codes
    alone would be met best by few codewords that never change, so their use is balanced.

    With classification `each` the mean over m is taken of the cross-entropies, and nothing is asked among
    coded directions. Then every book has to tell all classes apart by itself. It cannot where there are many
    more classes than words, and what one book confuses the others, which learn the same, confuse too. With
    `hard` and `balance` 0 that is L = 1/2 [ L(x, W) + L(s(x), W) ] + the entropy, as published (Zhang et al.
    2023, OPQN).
    """

    codewords: Tensor

    def __init__(self, config: OPQNConfig, shape: CodeShape, classes: int) -> None:
        directions = nn.Parameter(F.normalize(torch.randn(classes, shape.dimension)))
        super().__init__(directions, config.scale, partial(cosine_margin, margin=config.margin))
        self.config, self.shape = config, shape
        # Rebuilt from the config, so a checkpoint need not hold it.
        words = torch.from_numpy(orthonormal_codebooks(shape).copy())
        self.register_buffer("codewords", words, persistent=False)
        matrix = config.new_matrix(shape.dimension)
        self.matrix = None if matrix is None else nn.Parameter(matrix)

    @torch.no_grad()
    def take_matrix(self, matrix: Tensor | None) -> None:
        """Keep to it, if the assignment is learned: by another, the parent's codes would mean nothing."""
        if self.matrix is not None and matrix is not None:
            self.matrix.copy_(matrix).requires_grad_(False)

    @torch.no_grad()
    def leave_matrix(self, matrix: Tensor | None) -> None:
        """Write the learned one into it, which an encoder keeps for its quantizer."""
        if self.matrix is not None and matrix is not None:
            matrix.copy_(self.matrix)

    def unit_directions(self) -> Tensor:
        """The directions (classes, d) float32 as they are now, each sub-vector of the same norm."""
        return self._join(self._divided_directions().detach())

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Mean loss (float32 scalar) of unit embeddings (b, d) with labels (b,) int64 in [0, classes)."""
        with torch.autocast(embeddings.device.type, enabled=False):
            given, config = self._divide(embeddings.float()), self.config
            norms = torch.linalg.vector_norm(given, dim=2, keepdim=True)
            parts, directions = F.normalize(given, dim=2), self._divided_directions()
            # Codewords are orthonormal: what is quantized is met in their coordinates, which are fewer.
            found, kept = self._project(parts), self._project(directions)
            log_soft = self._assign(parts, found, norms)
            log_coded = self._assign(directions, kept, torch.full_like(norms[:1], self.shape.books**-0.5))
            soft, coded = log_soft.exp(), log_coded.exp()
            met = [(1.0, parts, directions), (1.0, F.normalize(soft, dim=2), kept)]
            if config.classification == "joint":
                met.append((1.0, found, F.normalize(coded, dim=2)))
            if config.hard:
                met.append((config.hard, _hardened(soft), kept))
            if config.hard and config.classification == "joint":
                met.append((config.hard, found, _hardened(coded)))
            losses = [weight * self._classify(vectors, among, labels) for weight, vectors, among in met]
            classified = torch.stack(losses).sum() / sum(weight for weight, *_ in met)
            loss = classified + config.entropy * _entropy(soft, log_soft)
            if config.balance:
                used = coded.mean(dim=0)
                loss = loss - config.balance * _entropy(used, torch.log(used.clamp_min(_LEAST)))
            return loss

    def _assign(self, parts: Tensor, projected: Tensor, norms: Tensor) -> Tensor:
        """log p, (n, books, words), of unit sub-vectors, their projections, and norms (n or 1, books, 1)."""
        config = self.config
        length = length_of(norms, self.shape.dimension, config.normalization, config.sharpness, training=True)
        products = projected if self.matrix is None else torch.einsum("nmd,mdk->nmk", parts, self.matrix)
        return F.log_softmax(length * products, dim=2)

    def _project(self, parts: Tensor) -> Tensor:
        """The inner products (n, books, words) of sub-vectors (n, books, width) with the codewords."""
        return torch.einsum("nmd,mkd->nmk", parts, self.codewords)

    def _classify(self, parts: Tensor, directions: Tensor, labels: Tensor) -> Tensor:
        """Mean CosFace loss of what has a unit vector in every book, (b, books, n), together or each.

        The directions are (classes, books, n) in the same coordinates.
        """
        if self.config.classification == "joint":
            cosines = (parts.flatten(1) @ directions.flatten(1).T)[:, None] / self.shape.books
        else:
            cosines = torch.einsum("nmd,cmd->nmc", parts, directions)
        assert self._margin is not None
        target = labels[:, None, None].expand(-1, cosines.shape[1], 1)
        cosines = cosines.scatter(2, target, self._margin(cosines.gather(2, target)))
        return F.cross_entropy(self.scale * cosines.flatten(0, 1), target.flatten())

    def _cosines(self, embeddings: Tensor) -> Tensor:
        """The mean over the sub-vectors of their cosines."""
        with torch.autocast(embeddings.device.type, enabled=False):
            parts = F.normalize(self._divide(embeddings.float()), dim=2)
            return parts.flatten(1) @ self._divided_directions().flatten(1).T / self.shape.books

    def _divide(self, vectors: Tensor) -> Tensor:
        return vectors.unflatten(1, (self.shape.books, self.shape.width))

    def _join(self, parts: Tensor) -> Tensor:
        """Unit vectors (n, d) of unit sub-vectors."""
        return parts.flatten(1) / self.shape.books**0.5

    def _divided_directions(self) -> Tensor:
        return F.normalize(self._divide(self.directions.float()), dim=2)


def _hardened(soft: Tensor) -> Tensor:
    """The largest of the shares (n, books, words) as one, the others as none; the gradient is the shares'."""
    largest = F.one_hot(soft.argmax(dim=2), soft.shape[2]).to(soft.dtype)
    return largest + soft - soft.detach()


def _entropy(shares: Tensor, logarithms: Tensor) -> Tensor:
    """Of shares (..., words), in nats, the mean over all but the words."""
    return -(shares * logarithms).sum(dim=-1).mean()
