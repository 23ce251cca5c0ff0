"""Recall of several entries a query: the same as sorting everything, where scores are equal, too."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from holdfast.evaluation.upgrades.sides import nearest


@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_the_nearest_are_those_of_a_stable_sort(seed: int, depth: int) -> None:
    generator = np.random.default_rng(seed)
    # Few values, so that many scores are equal.
    queries, entries = (generator.integers(-1, 2, (count, 3)).astype(np.float32) for count in (7, 30))
    own = generator.integers(-1, 30, 7)
    scores = queries @ entries.T
    scores[own >= 0, own[own >= 0]] = -np.inf
    wanted = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
    np.testing.assert_array_equal(nearest(queries, entries, own, depth), wanted)
