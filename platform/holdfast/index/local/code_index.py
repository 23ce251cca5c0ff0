"""Compact codes inside FAISS: product quantization by the code books that no version owns."""

from typing import Any

import faiss
import numpy as np

from holdfast.base import ConfigError
from holdfast.models import CodeShape, orthonormal_codebooks

_FAST_BITS = 4  # of a codeword's number


def code_index(shape: CodeShape, codes: np.ndarray) -> Any:
    """An `IndexPQ` over codes, uint8 (n, shape.bytes), that nothing was trained for.

    Searched with what `Quantizer.ask` makes of queries it returns the asymmetric score of OPQN: the inner
    product with a codeword is what that codeword counts for the query. Its own `add` codes unit vectors as a
    quantizer does whose assignment is by the codewords.
    """
    return _index_of(orthonormal_codebooks(shape), codes)


def fast_code_index(shape: CodeShape, codes: np.ndarray) -> Any:
    """The same in FAISS's fast scan, which reads books of 16 words.

    Two neighbouring books of 4 words are read as one of 16, four of 2 words likewise: the bytes are the same,
    and a joint word is its parts one after the other. It rounds the scores in its tables to bytes: a score is
    off by up to n / 255 of the largest difference between two words of one of the n books as they are read.
    `faiss.IndexRefine` over `code_index` ranks its candidates exactly.

    Raises:
        ConfigError: the books have other words than 2, 4 or 16, or cannot be read together.
    """
    together, rest = divmod(_FAST_BITS, shape.word_bits)
    if rest or shape.books % together:
        raise ConfigError(
            f"FAISS's fast scan reads books of 16 words, an even number of 4, or fours of 2, and these are "
            f"{shape.books} books of {shape.words} words."
        )
    return faiss.IndexPQFastScan(_index_of(_joint_words(shape, together), codes))


def _joint_words(shape: CodeShape, together: int) -> np.ndarray:
    """Words of `together` books as those of one, float32 (books, words, width); the first book counts least,
    as in the bits of a code."""
    books = orthonormal_codebooks(shape).reshape(-1, together, shape.words, shape.width)
    numbers = np.arange(shape.words**together)
    parts = [books[:, place, numbers // shape.words**place % shape.words] for place in range(together)]
    return np.concatenate(parts, axis=2)


def use_orthonormal_words(index: Any) -> None:
    """Give an index whose codes are of parts of the vectors the words that need no training."""
    shape = CodeShape(int(index.d), int(index.pq.M), int(index.pq.ksub))
    _use_words(index, orthonormal_codebooks(shape))


def _index_of(words: np.ndarray, codes: np.ndarray) -> Any:
    """An `IndexPQ` with these words, float32 (books, words, width), over codes."""
    books, count, width = words.shape
    word_bits = count.bit_length() - 1
    index = faiss.IndexPQ(books * width, books, word_bits, faiss.METRIC_INNER_PRODUCT)
    _use_words(index, words)
    if len(codes):
        index.add_sa_codes(np.ascontiguousarray(codes))
    return index


def _use_words(index: Any, words: np.ndarray) -> None:
    faiss.copy_array_to_vector(words.ravel(), index.pq.centroids)
    index.is_trained = True
