"""Ways to keep a gallery in so many bits an entry: each gives the scores of queries over all entries.

Queries are never coded. FAISS's coders are trained on the embeddings of the training images, once for all
galleries that are searched:

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
Coder = Callable[[np.ndarray, np.ndarray], Scorer]
"""Of queries (q, d) and entries (n, d)."""
_ENOUGH = 1024  # training vectors for books of 256 words


def products(queries: np.ndarray, entries: np.ndarray) -> Scorer:
    """By inner product."""
    return lambda rows: queries[rows] @ entries.T


def nearness(queries: np.ndarray, entries: np.ndarray) -> Scorer:
    """By Euclidean distance."""
    squares = (entries * entries).sum(axis=1)
    return lambda rows: 2 * queries[rows] @ entries.T - squares


def product_codes(
    bits: int,
    train: np.ndarray,
    turned: bool = False,
    score: Callable[[np.ndarray, np.ndarray], Scorer] = products,
) -> Coder:
    each = 8 if len(train) >= _ENOUGH else 4
    dimension, books = train.shape[1], bits // each
    turn: faiss.VectorTransform | None = None
    if turned:
        turn = faiss.OPQMatrix(dimension, books)
        turn.niter = 20
        turn.pq = faiss.ProductQuantizer(dimension, books, each)
        # FAISS warns below 39 vectors a word, in every one of OPQ's turns; a small data set has no more.
        turn.pq.cp.min_points_per_centroid = 1
        turn.train(train)
        train = turn.apply(train)
    index = faiss.IndexPQ(dimension, books, each, faiss.METRIC_INNER_PRODUCT)
    index.pq.cp.min_points_per_centroid = 1
    index.train(train)

    def coded(queries: np.ndarray, gallery: np.ndarray) -> Scorer:
        if turn is not None:
            queries, gallery = turn.apply(queries), turn.apply(gallery)
        return score(queries, index.sa_decode(index.sa_encode(gallery)))

    return coded


def scalar_codes(bits: int, train: np.ndarray) -> Coder:
    components = _components(bits // 4, train)
    index = faiss.IndexScalarQuantizer(bits // 4, faiss.ScalarQuantizer.QT_4bit, faiss.METRIC_L2)
    index.train(components.apply(train))

    def coded(queries: np.ndarray, gallery: np.ndarray) -> Scorer:
        entries = index.sa_decode(index.sa_encode(components.apply(gallery)))
        return nearness(components.apply(queries), entries)

    return coded


def rabitq_codes(bits: int, train: np.ndarray) -> Coder:
    components, turn = _components(bits, train), faiss.RandomRotationMatrix(bits, bits)
    turn.init(0)
    turned = turn.apply(components.apply(train))

    def coded(queries: np.ndarray, gallery: np.ndarray) -> Scorer:
        asked = turn.apply(components.apply(queries))
        index = faiss.IndexRaBitQ(bits, faiss.METRIC_L2)
        index.train(turned)
        index.add(turn.apply(components.apply(gallery)))

        def scores(rows: slice) -> np.ndarray:
            distances, places = index.search(asked[rows], index.ntotal)
            found = np.empty_like(distances)
            np.put_along_axis(found, places, -distances, axis=1)
            return found

        return scores

    return coded


POST_HOC: Mapping[str, Callable[[int, np.ndarray], Coder]] = {
    "pq": product_codes,
    "opq": partial(product_codes, turned=True),
    "sq": scalar_codes,
    "rabitq": rabitq_codes,
}


def _components(count: int, train: np.ndarray) -> faiss.PCAMatrix:
    """The first principal components."""
    pca = faiss.PCAMatrix(train.shape[1], count)
    pca.train(train)
    return pca
