"""Which cuts are measured, and what is said of them."""

import numpy as np
import pytest

from holdfast.data import Evaluation
from holdfast.evaluation import score
from holdfast.learning import Embedded
from holdfast.publishing.cuts import cut_dimensions, measure_cuts
from tests.platform.publishing.test_assessment import image_set


@pytest.mark.parametrize(
    ("dimension", "cuts"),
    [(8, []), (9, [8]), (12, [8]), (16, [8]), (128, [64, 32, 16, 8]), (1280, [1024, 512, 256, 128])],
)
def test_the_largest_powers_of_two_below_a_dimension_are_measured(dimension: int, cuts: list[int]) -> None:
    assert cut_dimensions(dimension) == cuts


def test_a_cut_is_searched_by_queries_that_are_cut_alike() -> None:
    """The last 8 of 16 numbers hold the class, so that nothing is left without them."""
    data = Evaluation(image_set(5, 1), image_set(15, 2))
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(20, 8))

    def embed(labels: np.ndarray) -> np.ndarray:
        told = centres[[int(label[1:]) for label in labels]]
        rows = np.hstack([generator.normal(size=told.shape), 3 * told])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    queries, gallery = embed(data.queries.labels), embed(data.gallery.labels)
    whole = score(queries, data.queries.labels, gallery, data.gallery.labels).outcome()
    embedded = Embedded(queries, gallery, queries[:0])
    (cut,) = measure_cuts(embedded, data, whole, "these", 100)
    products = (queries[:, :8] / np.linalg.norm(queries[:, :8], axis=1, keepdims=True)) @ (
        gallery[:, :8] / np.linalg.norm(gallery[:, :8], axis=1, keepdims=True)
    ).T
    hits = data.gallery.labels[products.argmax(1)] == data.queries.labels
    assert (cut.dimensions, cut.evaluation) == (8, "these")
    assert cut.recall_at_1 == pytest.approx(100 * hits.mean())
    assert cut.whole == whole.percent()["recall_at_1"] > 95
    assert cut.low < cut.recall_at_1 - cut.whole < cut.high < 0
