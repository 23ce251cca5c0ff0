"""Product quantization in FAISS by the code books that no version owns."""

from typing import Any

import faiss

from holdfast.models import CodeShape, orthonormal_codebooks


def use_orthonormal_words(index: Any) -> None:
    """Give an index whose codes are of parts of the vectors the words that need no training."""
    shape = CodeShape(int(index.d), int(index.pq.M), int(index.pq.ksub))
    faiss.copy_array_to_vector(orthonormal_codebooks(shape).ravel(), index.pq.centroids)
    index.is_trained = True
