"""From embeddings to compact codes and back, with code books that no version owns."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from holdfast.base import InvalidVectorError
from holdfast.models.codes.codebooks import CodeShape, orthonormal_codebooks

Normalization = Literal["subvector", "none", "public"]
Counting = Literal["logarithm", "share"]
"""What an entry's codeword counts for a query: the logarithm of its share in the query, or the share."""
_CHUNK = 8192  # embeddings at a time


def length_of(
    norms: Tensor, dimension: int, normalization: Normalization, sharpness: float, training: bool
) -> Tensor | float:
    """The norms that sub-vectors have in the assignment: its softmax is of their products with a matrix.

    Args:
        norms: of the sub-vectors of embeddings of unit norm, of any shape.
        dimension: the embeddings'.
        normalization: `subvector` gives every sub-vector the norm `sharpness`. `none` takes them as the
            batch normalization before the L2 norm gave them, but for the embedding's own length: of norm
            sqrt(width) on average. `public` is `none` in training and unit norm afterwards, as the public
            code of OPQN has it.
    """
    if normalization == "subvector":
        return sharpness
    return 1.0 if normalization == "public" and not training else dimension**0.5 * norms


class Quantizer:
    """Codes of embeddings, and the asymmetric score of a query against codes (Zhang et al. 2023).

    An embedding x is divided into sub-vectors x_m. p_m = softmax(x_m U_m) says how much of each codeword of
    book m is in it: an entry keeps the number b_m of the largest, a query keeps them all. With `counting`
    "share", as published, the score of a query q and an entry x is sum_m p_m(q)[b_m(x)]. With "logarithm" it
    is sum_m log p_m(q)[b_m(x)], the likelihood of the entry's code, less what is the same for all entries:
    sum_m (q_m U_m)[b_m(x)]. It does not flatten the differences between the codewords that a query has little
    of, by which most entries differ from it.

    Either is the inner product of a vector of the query, C_m p_m or C_m (q_m U_m) in the place of every
    sub-vector, and the decoded entry, because the codewords of a book are orthonormal.

    Codes are uint8 (n, shape.bytes): the numbers b_0, b_1, ... one after the other, lowest bit first, as
    FAISS packs them. Two quantizers of one shape read each other's codes, whichever versions they are of.

    With `places`, embeddings are not divided: every book reads the whole of them, and p_m = softmax of
    `sharpness` times x P_m + b_m. Where P_m are points and b_m half their negative squares, as `find_places`
    has them, the score by logarithms ranks as the distance between q and the sum of the points of x does.

    Args:
        matrix: U, float32 (books, width, words), where a lineage learned one; if None the codewords.
        places: P and below it b, float32 (books, d + 1, words), of embeddings of d dimensions.

    Attributes:
        dimension: of the embeddings; that of queries as they are asked, and of decoded codes, is the shape's.
    """

    def __init__(
        self,
        shape: CodeShape,
        matrix: Tensor | None = None,
        normalization: Normalization = "subvector",
        sharpness: float = 8.0,
        counting: Counting = "logarithm",
        places: Tensor | None = None,
    ) -> None:
        self.shape, self.normalization, self.sharpness = shape, normalization, sharpness
        self.counting = counting
        self._words = torch.from_numpy(orthonormal_codebooks(shape).copy())
        self._matrix = self._words.transpose(1, 2) if matrix is None else matrix.detach().float().cpu()
        self._places = None if places is None else places.detach().float().cpu()
        self.dimension = shape.dimension if self._places is None else self._places.shape[1] - 1

    def ask(self, embeddings: np.ndarray) -> np.ndarray:
        """Queries (n, d) as the score wants them, to be multiplied with decoded codes: float32 (n,
        shape.dimension)."""
        asked = np.empty((len(embeddings), self.shape.dimension), np.float32)
        for rows, logits in self._logits(embeddings):
            counts = torch.softmax(logits, dim=2) if self.counting == "share" else logits
            asked[rows] = torch.einsum("nmk,mkd->nmd", counts, self._words).flatten(1).numpy()
        return asked

    def encode(self, embeddings: np.ndarray) -> np.ndarray:
        """The codes, uint8 (n, shape.bytes), of embeddings float32 (n, d), unit norm."""
        numbers = np.empty((len(embeddings), self.shape.books), np.uint8)
        for rows, logits in self._logits(embeddings):
            numbers[rows] = logits.argmax(dim=2).numpy()
        return pack(numbers, self.shape)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """The vectors that codes stand for, float32 (n, shape.dimension): a codeword for every book.

        Their norm is sqrt(books).
        """
        return decode(codes, self.shape)

    def score(self, queries: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """The scores, float32 (q, n), of query embeddings (q, d) and codes (n, shape.bytes)."""
        scores: np.ndarray = self.ask(queries) @ self.decode(codes).T
        return scores

    def _logits(self, embeddings: np.ndarray) -> Iterator[tuple[slice, Tensor]]:
        if embeddings.ndim != 2 or embeddings.shape[1] != self.dimension:
            raise InvalidVectorError(
                f"Codes of {self.shape.books} books are of embeddings (n, {self.dimension}), "
                f"not of an array of shape {embeddings.shape}."
            )
        for start in range(0, len(embeddings), _CHUNK):
            part = torch.from_numpy(np.ascontiguousarray(embeddings[start : start + _CHUNK], np.float32))
            rows = slice(start, start + _CHUNK)
            if self._places is not None:
                met = torch.einsum("nd,mdk->nmk", part, self._places[:, :-1]) + self._places[:, -1]
                yield rows, self.sharpness * met
                continue
            parts = part.unflatten(1, (self.shape.books, self.shape.width))
            norms = torch.linalg.vector_norm(parts, dim=2, keepdim=True)
            length = length_of(
                norms, self.shape.dimension, self.normalization, self.sharpness, training=False
            )
            logits = torch.einsum("nmd,mdk->nmk", F.normalize(parts, dim=2), self._matrix) * length
            yield rows, logits


def decode(codes: np.ndarray, shape: CodeShape) -> np.ndarray:
    """The vectors float32 (n, d) that codes stand for, whichever version they are of."""
    numbers = unpack(codes, shape)
    vectors = orthonormal_codebooks(shape)[np.arange(shape.books), numbers]
    return vectors.reshape(len(codes), shape.dimension)


def pack(numbers: np.ndarray, shape: CodeShape) -> np.ndarray:
    """Codeword numbers (n, books) as codes, uint8 (n, shape.bytes)."""
    bits = (numbers[:, :, None] >> np.arange(shape.word_bits, dtype=np.uint8)) & 1
    return np.packbits(bits.reshape(len(numbers), shape.bits), axis=1, bitorder="little")


def unpack(codes: np.ndarray, shape: CodeShape) -> np.ndarray:
    """The codeword numbers, uint8 (n, books), of codes. Raises InvalidVectorError for another shape."""
    if codes.dtype != np.uint8 or codes.ndim != 2 or codes.shape[1] != shape.bytes:
        raise InvalidVectorError(
            f"Codes of {shape.bits} bits are uint8 (n, {shape.bytes}), not {codes.dtype} {codes.shape}."
        )
    bits = np.unpackbits(codes, axis=1, count=shape.bits, bitorder="little")
    bits = bits.reshape(len(codes), shape.books, shape.word_bits)
    return (bits << np.arange(shape.word_bits, dtype=np.uint8)).sum(axis=2, dtype=np.uint8)
