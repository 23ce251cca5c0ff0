"""Points for codewords: codes keep distances, however few vectors there are to find the points by."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.base import InvalidVectorError
from holdfast.models import Quantizer, find_places, free_shape
from holdfast.models.codes.quantizer import Counting, unpack


def unit(count: int, dimension: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@settings(max_examples=12, deadline=None)
@given(st.sampled_from([2, 4, 8]), st.integers(1, 3), st.integers(1, 4), st.integers(1, 60))
def test_a_code_is_the_nearest_sum_of_points_and_scores_rank_by_the_distance_to_it(
    words: int, books: int, width: int, count: int
) -> None:
    dimension, shape = books * width, free_shape(books * (words.bit_length() - 1), words)
    places = find_places(unit(count, dimension), shape)
    assert places.shape == (books, dimension + 1, words)
    points = places.numpy().astype(np.float64)[:, :-1].transpose(0, 2, 1)
    quantizer = Quantizer(shape, places=places, sharpness=3.0)
    entries, queries = unit(20, dimension, 1), unit(5, dimension, 2)
    codes = quantizer.encode(entries)

    def sums(numbers: np.ndarray) -> np.ndarray:
        return points[np.arange(books), numbers].sum(axis=1)

    every = sums(np.array(list(itertools.product(range(words), repeat=books))))
    nearest = np.square(entries[:, None] - every).sum(axis=2).min(axis=1)
    coded = sums(unpack(codes, shape))
    np.testing.assert_allclose(np.square(entries - coded).sum(axis=1), nearest, atol=1e-5)
    distances = np.square(queries[:, None] - coded).sum(axis=2)
    np.testing.assert_allclose(quantizer.score(queries, codes), 1.5 * (1 - distances), atol=1e-4)


@pytest.mark.parametrize("counting", ["logarithm", "share"])
def test_what_lies_about_few_points_is_found_through_its_codes(counting: Counting) -> None:
    """In 7 dimensions, which two books do not divide."""
    centres = unit(6, 7)
    vectors = centres[np.arange(300) % 6] + 0.02 * unit(300, 7, 1)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    shape = free_shape(6, 8)
    quantizer = Quantizer(shape, places=find_places(vectors, shape), counting=counting)
    assert quantizer.dimension == 7
    assert quantizer.ask(centres).shape == quantizer.decode(quantizer.encode(centres)).shape == (6, 16)
    scores = quantizer.score(centres, quantizer.encode(vectors))
    assert np.array_equal(scores.argmax(axis=0), np.arange(300) % 6)


def test_the_same_vectors_give_the_same_points_and_are_left_as_they_are() -> None:
    vectors = unit(40, 6)
    given, shape = vectors.copy(), free_shape(4, 4)
    assert torch.equal(find_places(vectors, shape), find_places(vectors, shape))
    assert np.array_equal(vectors, given)


def test_vectors_of_another_dimension_are_refused() -> None:
    shape = free_shape(4, 4)
    with pytest.raises(InvalidVectorError, match=r"embeddings \(n, 6\)"):
        Quantizer(shape, places=find_places(unit(9, 6), shape)).encode(unit(3, 4))
