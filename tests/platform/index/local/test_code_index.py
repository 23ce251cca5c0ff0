"""FAISS over predefined code books returns the score of OPQN, for queries of any version."""

import faiss
import numpy as np
import pytest
import torch

from holdfast.index.local.code_index import use_orthonormal_words
from holdfast.models import CodeShape, Quantizer, orthonormal_codebooks
from holdfast.models.codes.quantizer import Counting

SHAPES = [
    CodeShape(512, 2, 256),
    CodeShape(256, 4, 64),
    CodeShape(128, 8, 16),
    CodeShape(128, 16, 8),
    CodeShape(256, 16, 16),
    CodeShape(1024, 64, 16),
]


def unit(count: int, dimension: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def naive_scores(quantizer: Quantizer, queries: np.ndarray, entries: np.ndarray) -> np.ndarray:
    """sum_m p_m(q)[b_m(x)], or of the logits, as a loop over everything."""
    words = orthonormal_codebooks(quantizer.shape)

    def counted(vectors: np.ndarray) -> np.ndarray:
        parts = quantizer.ask(vectors).reshape(len(vectors), *words.shape[::2])
        return np.einsum("nmd,mkd->nmk", parts, words, dtype=np.float64)

    counts, largest = counted(queries), counted(entries).argmax(axis=2)
    books = range(quantizer.shape.books)
    return np.array([[sum(p[m, b[m]] for m in books) for b in largest] for p in counts])


def code_index(shape: CodeShape, codes: np.ndarray) -> faiss.IndexPQ:
    """An index over codes that nothing was trained for."""
    index = faiss.IndexPQ(shape.dimension, shape.books, shape.word_bits, faiss.METRIC_INNER_PRODUCT)
    use_orthonormal_words(index)
    if len(codes):
        index.add_sa_codes(codes)
    return index


def of_all(index, asked: np.ndarray) -> np.ndarray:
    """The index's score of every entry, in their order."""
    scores, places = index.search(asked, index.ntotal)
    return np.take_along_axis(scores, places.argsort(axis=1), axis=1)


@pytest.mark.parametrize("counting", ["share", "logarithm"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape.bits} bits by {shape.words}")
def test_the_score_of_the_paper(shape: CodeShape, counting: Counting) -> None:
    quantizer = Quantizer(shape, counting=counting)
    queries, entries = unit(9, shape.dimension), unit(300, shape.dimension, 1)
    codes = quantizer.encode(entries)
    index = code_index(shape, codes)
    assert index.code_size == shape.bytes
    found, naive = of_all(index, quantizer.ask(queries)), naive_scores(quantizer, queries, entries)
    np.testing.assert_allclose(found, naive, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(found, quantizer.score(queries, codes), rtol=1e-5, atol=1e-4)


def test_faiss_codes_vectors_as_the_quantizer_does() -> None:
    shape = CodeShape(128, 8, 16)
    entries = unit(500, 128)
    index = code_index(shape, np.empty((0, shape.bytes), np.uint8))
    index.add(entries)
    packed = faiss.vector_to_array(index.codes).reshape(500, shape.bytes)
    assert np.array_equal(packed, Quantizer(shape).encode(entries))


@pytest.mark.parametrize("learned", [False, True])
def test_codes_of_the_first_version_answer_a_later_one_with_nothing_retrained(learned: bool) -> None:
    """v3 has moved a little from v1, and may have an assignment of its own; the index stays as it was."""
    shape = CodeShape(128, 8, 16)
    matrices = torch.randn(2, 8, 16, 16, generator=torch.Generator().manual_seed(0)) if learned else None
    first = Quantizer(shape, None if matrices is None else matrices[0])
    third = Quantizer(shape, None if matrices is None else matrices[0] + 0.1 * matrices[1])
    centres = unit(40, 128)
    moved = centres + 0.3 * unit(40, 128, 1)
    moved /= np.linalg.norm(moved, axis=1, keepdims=True)

    codes = first.encode(centres)
    index = code_index(shape, codes)
    before = faiss.vector_to_array(index.codes).tobytes()
    scores, places = index.search(third.ask(moved), 40)
    expected = third.score(moved, codes)
    np.testing.assert_allclose(scores, np.take_along_axis(expected, places, axis=1), rtol=1e-5, atol=1e-4)
    assert (places[:, 0] == np.arange(40)).mean() > 0.9
    assert faiss.vector_to_array(index.codes).tobytes() == before
