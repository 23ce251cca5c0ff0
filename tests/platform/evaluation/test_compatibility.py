import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.evaluation import (
    Outcome,
    average_compatibility,
    average_multimodel_accuracy,
    compare_pair,
    compare_pairs,
    forgetting,
    negative_flips,
    update_gain,
    update_gains,
)

hits = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=50).map(np.array)


def scores(hit: np.ndarray) -> Outcome:
    return Outcome(np.asarray(hit) > 0, {"recall_at_1": 100.0 * float(np.mean(hit))})


def test_ties_fail():
    matrix = [[50.0, 0, 0], [50.0, 60.0, 0], [51.0, 60.0, 70.0]]
    assert average_compatibility(matrix) == pytest.approx(1 / 3)


def test_the_upper_triangle_does_not_count():
    matrix = [[50.0, 99.0], [40.0, 60.0]]
    assert average_compatibility(matrix) == 0.0
    assert average_multimodel_accuracy(matrix) == pytest.approx((50 + 40 + 60) / 3)


def test_one_version_has_no_pairs():
    assert average_compatibility([[50.0]]) is None
    assert average_multimodel_accuracy([[50.0]]) == 50.0
    assert average_multimodel_accuracy([]) is None
    assert forgetting([[50.0]]) is None


def test_forgetting_is_measured_against_the_best_earlier_value():
    per_task = [[80.0, None, None], [90.0, 70.0, None], [60.0, 75.0, 50.0]]
    assert forgetting(per_task) == pytest.approx(((90 - 60) + (70 - 75)) / 2)


def test_forgetting_is_negative_where_later_tasks_helped_and_skips_the_unmeasured():
    assert forgetting([[40.0, None], [50.0, 60.0]]) == -10.0
    assert forgetting([[None, None], [50.0, 60.0]]) is None


def test_update_gain_has_its_ends_where_the_definition_puts_them():
    assert update_gain(cross=50, old_self=50, control_self=70) == 0.0
    assert update_gain(cross=70, old_self=50, control_self=70) == 1.0
    assert update_gain(cross=40, old_self=50, control_self=70) == -0.5
    assert update_gain(cross=60, old_self=50, control_self=50) is None


def test_update_gains_of_a_matrix_need_the_control_of_the_newer_version():
    gains = update_gains([[50.0, 0.0], [60.0, 65.0]], [None, 70.0])
    assert gains == [[None, None], [0.5, None]]
    assert update_gains([[50.0, 0.0], [60.0, 65.0]], [70.0])[1][0] is None


@given(hits)
def test_flips_account_for_the_whole_difference(pair):
    old, new = pair[:, 0], pair[:, 1]
    negative, positive = negative_flips(old, new), negative_flips(new, old)
    assert new.mean() - old.mean() == pytest.approx(positive - negative)
    assert 0 <= negative <= old.mean() + 1e-12


@given(hits)
def test_a_pair_is_compatible_if_and_only_if_it_is_strictly_better(pair):
    comparison = compare_pair(scores(pair[:, 0]), scores(pair[:, 1]), resamples=50)
    assert comparison.compatible == (pair[:, 0].sum() > pair[:, 1].sum())
    assert comparison.difference == pytest.approx(comparison.value - comparison.reference)
    assert comparison.low <= comparison.high
    if comparison.decided:
        assert comparison.low > 0 or comparison.high < 0


def test_a_clear_difference_is_decided_and_a_small_one_is_not():
    old = np.arange(1000) % 2
    better = old.copy()
    better[:100] = 1
    clear = compare_pair(scores(better), scores(old))
    assert clear.compatible
    assert clear.decided
    assert clear.difference == pytest.approx(5.0)
    assert 0 < clear.low < 5.0 < clear.high
    barely = old.copy()
    barely[0] = 1
    assert not compare_pair(scores(barely), scores(old)).decided
    tie = compare_pair(scores(old), scores(old))
    assert not tie.compatible
    assert not tie.decided


def test_many_pairs_at_once_are_the_same_pairs():
    generator = np.random.default_rng(0)
    pairs = [(scores(generator.random(80) < 0.6), scores(generator.random(80) < 0.5)) for _ in range(4)]
    for many, (pair, reference) in zip(compare_pairs(pairs), pairs, strict=True):
        one = compare_pair(pair, reference)
        assert (many.low, many.high) == pytest.approx((one.low, one.high))
        assert many.compatible == one.compatible
    assert compare_pairs([]) == []
