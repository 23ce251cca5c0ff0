"""Where codewords are, so that codes keep the distances between embeddings."""

import numpy as np
import torch
from torch import Tensor

from holdfast.models.codes.codebooks import CodeShape

LEAST, MOST = 39, 64
"""Vectors for every word of a book: fewer than FAISS wants are filled up with mixtures, more teach little."""
TURNS = 20


def find_places(vectors: np.ndarray, shape: CodeShape) -> Tensor:
    """Points p_mk for the codewords, and -||p_mk||^2 / 2 below each: float32 (books, d + 1, words).

    By optimized product quantization (Ge et al. 2013): the space is turned, divided among the books, and
    the words of a book are k-means of its part, so that the points of different books are orthogonal and an
    embedding is near the sum of the nearest one of every book.

    A few hundred images say less than a book has words for, and what they do say is of their own classes. So
    where there are fewer than 39 vectors a word, directions between two of them drawn at random are added:
    they lie where classes that were not seen do.

    Args:
        vectors: embeddings of what was learned, float32 (n, d), unit norm, n >= 1.

    The same vectors give the same points on one kind of machine.
    """
    import faiss

    rows = _sample(vectors, shape.words)
    dimension = vectors.shape[1]
    # Of a width that the books divide: what is added is 0, and stays so for every vector.
    padded = np.pad(rows, ((0, 0), (0, -dimension % shape.books)))
    whole = padded.shape[1]
    turn = faiss.OPQMatrix(whole, shape.books)
    turn.niter = TURNS
    turn.pq = faiss.ProductQuantizer(whole, shape.books, shape.word_bits)
    turn.pq.cp.min_points_per_centroid = 1
    turn.train(padded)
    words = faiss.ProductQuantizer(whole, shape.books, shape.word_bits)
    words.cp.min_points_per_centroid = 1
    words.train(turn.apply(padded))
    centres = faiss.vector_to_array(words.centroids).reshape(shape.books, shape.words, -1)
    frame = faiss.vector_to_array(turn.A).reshape(shape.books, -1, whole)[:, :, :dimension]
    points = np.einsum("mkw,mwd->mdk", centres, frame)
    constants = -np.square(centres).sum(axis=2)[:, None] / 2
    return torch.from_numpy(np.concatenate([points, constants], axis=1).astype(np.float32))


def _sample(vectors: np.ndarray, words: int) -> np.ndarray:
    """Vectors enough for books of so many words, and for the turning of their space."""
    generator = np.random.default_rng(0)
    least, most = LEAST * words, MOST * words
    rows = vectors[np.sort(generator.permutation(len(vectors))[:most])].astype(np.float32)
    missing = max(least, 2 * vectors.shape[1]) - len(rows)
    if missing <= 0:
        return rows
    pairs = generator.integers(len(rows), size=(2, missing))
    between = rows[pairs[0]] + rows[pairs[1]]
    norms = np.linalg.norm(between, axis=1, keepdims=True)
    # Of two that are opposite there is no direction between.
    mixed = np.where(norms > 1e-3, between / np.maximum(norms, 1e-3), rows[pairs[0]])
    return np.concatenate([rows, mixed])
