"""Compact codes inside FAISS: product quantization by the code books that no version owns."""

from typing import Any

import faiss
import numpy as np

from holdfast.errors import ConfigError
from holdfast.models import CodeShape, orthonormal_codebooks


def code_index(shape: CodeShape, codes: np.ndarray) -> Any:
    """An `IndexPQ` over codes, uint8 (n, shape.bytes), that nothing was trained for.

    Searched with what `Quantizer.ask` makes of queries it returns the asymmetric score of OPQN: the inner
    product with a codeword is what that codeword counts for the query. Its own `add` codes unit vectors as a
    quantizer does whose assignment is by the codewords.
    """
    index = faiss.IndexPQ(shape.dimension, shape.books, shape.word_bits, faiss.METRIC_INNER_PRODUCT)
    use_orthonormal_words(index)
    if len(codes):
        index.add_sa_codes(np.ascontiguousarray(codes))
    return index


def fast_code_index(shape: CodeShape, codes: np.ndarray) -> Any:
    """The same in FAISS's fast scan, which reads codes of 16 words only.

    It rounds the scores in its tables to bytes: a score is off by up to books / 255 of the largest difference
    between two words of a book. `faiss.IndexRefine` over `code_index` ranks its candidates exactly.

    Raises:
        ConfigError: the books do not have 16 words.
    """
    if shape.words != 16:
        raise ConfigError(f"FAISS's fast scan reads codes of 16 words, and these have {shape.words}.")
    return faiss.IndexPQFastScan(code_index(shape, codes))


def use_orthonormal_words(index: Any) -> None:
    """Give an index whose codes are of parts of the vectors the words that need no training."""
    shape = CodeShape(int(index.d), int(index.pq.M), int(index.pq.ksub))
    faiss.copy_array_to_vector(orthonormal_codebooks(shape).ravel(), index.pq.centroids)
    index.is_trained = True
