"""Ways to keep a gallery in so many bits an entry: each gives the scores of queries over all entries.

Queries are never coded. FAISS's coders are trained on the embeddings of the training images:

- pq, opq: product quantization by k-means, 8 bits a book; opq turns the space first.
- sq: the first bits / 4 principal components, 4 bits each.
- rabitq: the first principal components, a bit each. It keeps two numbers beside every code, 64 bits more,
  which are not counted.
"""

from collections.abc import Callable, Mapping
from functools import partial

import faiss
import numpy as np

Scorer = Callable[[slice], np.ndarray]
"""Scores float32 (b, n) of some of the queries over all entries, higher is nearer."""
_ENOUGH = 1024  # training vectors for books of 256 words


def products(queries: np.ndarray, entries: np.ndarray) -> Scorer:
    """By inner product."""
    return lambda rows: queries[rows] @ entries.T


def nearness(queries: np.ndarray, entries: np.ndarray) -> Scorer:
    """By Euclidean distance."""
    squares = (entries * entries).sum(axis=1)
    return lambda rows: 2 * queries[rows] @ entries.T - squares


def product_codes(
    bits: int, train: np.ndarray, queries: np.ndarray, gallery: np.ndarray, turned: bool = False
) -> Scorer:
    each = 8 if len(train) >= _ENOUGH else 4
    dimension, books = train.shape[1], bits // each
    if turned:
        rotation = faiss.OPQMatrix(dimension, books)
        rotation.niter = 20
        rotation.pq = faiss.ProductQuantizer(dimension, books, each)
        rotation.train(train)
        train, queries, gallery = (rotation.apply(v) for v in (train, queries, gallery))
    index = faiss.IndexPQ(dimension, books, each, faiss.METRIC_INNER_PRODUCT)
    index.train(train)
    return products(queries, index.sa_decode(index.sa_encode(gallery)))


def scalar_codes(bits: int, train: np.ndarray, queries: np.ndarray, gallery: np.ndarray) -> Scorer:
    train, queries, gallery = _components(bits // 4, train, queries, gallery)
    index = faiss.IndexScalarQuantizer(train.shape[1], faiss.ScalarQuantizer.QT_4bit, faiss.METRIC_L2)
    index.train(train)
    return nearness(queries, index.sa_decode(index.sa_encode(gallery)))


def rabitq_codes(bits: int, train: np.ndarray, queries: np.ndarray, gallery: np.ndarray) -> Scorer:
    train, queries, gallery = _components(bits, train, queries, gallery)
    turn = faiss.RandomRotationMatrix(bits, bits)
    turn.init(0)
    train, queries, gallery = (turn.apply(v) for v in (train, queries, gallery))
    index = faiss.IndexRaBitQ(bits, faiss.METRIC_L2)
    index.train(train)
    index.add(gallery)

    def scores(rows: slice) -> np.ndarray:
        distances, places = index.search(queries[rows], index.ntotal)
        found = np.empty_like(distances)
        np.put_along_axis(found, places, -distances, axis=1)
        return found

    return scores


POST_HOC: Mapping[str, Callable[[int, np.ndarray, np.ndarray, np.ndarray], Scorer]] = {
    "pq": product_codes,
    "opq": partial(product_codes, turned=True),
    "sq": scalar_codes,
    "rabitq": rabitq_codes,
}


def _components(count: int, *vectors: np.ndarray) -> list[np.ndarray]:
    """The first principal components of the first array, of all of them."""
    pca = faiss.PCAMatrix(vectors[0].shape[1], count)
    pca.train(vectors[0])
    return [pca.apply(v) for v in vectors]
