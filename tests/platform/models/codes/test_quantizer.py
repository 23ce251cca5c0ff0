"""Codes, and the asymmetric score, against the formulas written out."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.base import InvalidVectorError
from holdfast.models import CodeShape, Quantizer, orthonormal_codebooks
from holdfast.models.codes.quantizer import Counting, Normalization, pack, unpack

SHAPE = CodeShape(24, 4, 4)


def unit(count: int, dimension: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def naive_assignment(x: np.ndarray, matrix: np.ndarray, normalization: str, sharpness: float) -> np.ndarray:
    """p_m = softmax(x_m U_m) of one embedding at query time, (books, words)."""
    found = []
    for m, part in enumerate(x.astype(np.float64).reshape(len(matrix), -1)):
        length = np.linalg.norm(part)
        scaled = {
            "subvector": sharpness * part / length,
            "none": np.sqrt(len(x)) * part,
            "public": part / length,
        }[normalization]
        powers = np.exp(scaled @ matrix[m])
        found.append(powers / powers.sum())
    return np.array(found)


@pytest.mark.parametrize("counting", ["share", "logarithm"])
@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("normalization", ["subvector", "none", "public"])
def test_queries_codes_and_scores_by_the_formulas(
    normalization: Normalization, learned: bool, counting: Counting
) -> None:
    words = orthonormal_codebooks(SHAPE).astype(np.float64)
    drawn = np.random.default_rng(3).normal(size=(4, 6, 4))
    matrix = drawn if learned else words.transpose(0, 2, 1)
    given_matrix = torch.from_numpy(drawn).float() if learned else None
    quantizer = Quantizer(SHAPE, given_matrix, normalization, 5.0, counting)
    queries, entries = unit(7, 24), unit(30, 24, 1)

    p = np.array([naive_assignment(q, matrix, normalization, 5.0) for q in queries])
    if counting == "share":
        soft = np.array([np.concatenate([words[m].T @ row[m] for m in range(4)]) for row in p])
        np.testing.assert_allclose(quantizer.ask(queries), soft, atol=1e-6)

    parts = entries.reshape(30, 4, 6)
    numbers = np.array([[np.argmax(part[m] @ matrix[m]) for m in range(4)] for part in parts])
    codes = quantizer.encode(entries)
    assert np.array_equal(unpack(codes, SHAPE), numbers)
    decoded = np.array([np.concatenate([words[m][row[m]] for m in range(4)]) for row in numbers])
    np.testing.assert_allclose(quantizer.decode(codes), decoded, atol=1e-6)

    counts = p if counting == "share" else np.log(p)
    score = np.array([[sum(row[m, b[m]] for m in range(4)) for b in numbers] for row in counts])
    found = quantizer.score(queries, codes)
    if counting == "logarithm":
        # All scores of a query are less by the same, which ranks nothing.
        found = found + (score - found).mean(axis=1, keepdims=True)
    np.testing.assert_allclose(found, score, atol=1e-5)


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from([2, 4, 8, 16, 32, 64, 128, 256]),
    st.integers(1, 70),
    st.integers(0, 9),
    st.integers(0, 99),
)
def test_numbers_survive_being_packed(words: int, books: int, count: int, seed: int) -> None:
    shape = CodeShape(words * books, books, words)
    numbers = np.random.default_rng(seed).integers(0, words, (count, books)).astype(np.uint8)
    codes = pack(numbers, shape)
    assert codes.shape == (count, shape.bytes)
    assert codes.dtype == np.uint8
    assert np.array_equal(unpack(codes, shape), numbers)


def test_a_decoded_vector_has_the_code_that_it_came_from() -> None:
    shape = CodeShape(128, 8, 16)
    quantizer = Quantizer(shape)
    codes = quantizer.encode(unit(500, 128))
    decoded = quantizer.decode(codes)
    np.testing.assert_allclose(np.linalg.norm(decoded, axis=1), 8**0.5, rtol=1e-5)
    assert np.array_equal(quantizer.encode(decoded / np.float32(8**0.5)), codes)


def test_an_embedding_has_one_code_under_all_normalizations() -> None:
    entries = unit(200, 24)
    codes = [Quantizer(SHAPE, None, name).encode(entries) for name in ("subvector", "none", "public")]
    assert np.array_equal(codes[0], codes[1])
    assert np.array_equal(codes[0], codes[2])


def test_more_than_fits_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    entries, quantizer = unit(50, 24), Quantizer(SHAPE)
    whole = quantizer.ask(entries), quantizer.encode(entries)
    monkeypatch.setattr("holdfast.models.codes.quantizer._CHUNK", 16)
    np.testing.assert_allclose(quantizer.ask(entries), whole[0], atol=1e-6)
    assert np.array_equal(quantizer.encode(entries), whole[1])


def test_nothing_has_no_codes() -> None:
    quantizer = Quantizer(SHAPE)
    none = np.empty((0, 24), np.float32)
    assert quantizer.encode(none).shape == (0, 1)
    assert quantizer.ask(none).shape == (0, 24)
    assert quantizer.decode(quantizer.encode(none)).shape == (0, 24)


def test_arrays_of_another_shape_are_refused() -> None:
    quantizer = Quantizer(SHAPE)
    with pytest.raises(InvalidVectorError, match=r"embeddings \(n, 24\), not of an array of shape \(3, 25\)"):
        quantizer.encode(np.zeros((3, 25), np.float32))
    with pytest.raises(InvalidVectorError, match=r"8 bits are uint8 \(n, 1\), not uint8 \(3, 2\)"):
        quantizer.decode(np.zeros((3, 2), np.uint8))
    with pytest.raises(InvalidVectorError, match="not int64"):
        quantizer.score(unit(2, 24), np.zeros((3, 1), np.int64))
