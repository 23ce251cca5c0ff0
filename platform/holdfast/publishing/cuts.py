"""What is left of a version's retrieval when its vectors are cut to their first numbers."""

import numpy as np

from holdfast.base import cut_vectors
from holdfast.data import Evaluation
from holdfast.evaluation import Outcome, bootstrap_many, score
from holdfast.learning import Embedded
from holdfast.store import Cut

MOST, SMALLEST = 4, 8


def cut_dimensions(dimension: int) -> list[int]:
    """The powers of two below a dimension that are measured, largest first."""
    powers = [2**power for power in range((dimension - 1).bit_length()) if SMALLEST <= 2**power < dimension]
    return powers[::-1][:MOST]


def measure_cuts(
    embedded: Embedded, evaluation: Evaluation, whole: Outcome, fingerprint: str, resamples: int
) -> list[Cut]:
    """Every cut beside the whole vectors, on the same queries.

    Args:
        whole: what a version finds in its own gallery with all numbers.
        fingerprint: of the evaluation data.
        resamples: of the intervals.
    """
    dimensions = cut_dimensions(embedded.queries.shape[1])
    found = [
        score(
            cut_vectors(embedded.queries, cut),
            evaluation.queries.labels,
            cut_vectors(embedded.gallery, cut),
            evaluation.gallery.labels,
        ).outcome()
        for cut in dimensions
    ]
    if not found:
        return []
    differences = np.stack([each.hits.astype(np.float64) - whole.hits for each in found])
    return [
        Cut(
            dimensions=cut,
            recall_at_1=each.percent()["recall_at_1"],
            whole=whole.percent()["recall_at_1"],
            low=100 * interval.low,
            high=100 * interval.high,
            evaluation=fingerprint,
        )
        for cut, each, interval in zip(dimensions, found, bootstrap_many(differences, resamples), strict=True)
    ]
