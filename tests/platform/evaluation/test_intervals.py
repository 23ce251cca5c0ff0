import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.base import DataError
from holdfast.evaluation import bootstrap, bootstrap_counts, bootstrap_many, wilson

outcomes = st.lists(st.integers(0, 1), min_size=1, max_size=60).map(lambda v: np.array(v, np.float32))


def test_the_width_is_that_of_the_normal_approximation():
    values = (np.random.default_rng(0).random(3295) < 0.7).astype(np.float32)
    interval = bootstrap(values, resamples=4000)
    standard_error = values.std() / np.sqrt(len(values))
    assert interval.mean == pytest.approx(values.mean(dtype=np.float64))
    assert interval.high - interval.mean == pytest.approx(1.96 * standard_error, rel=0.08)
    assert interval.mean - interval.low == pytest.approx(1.96 * standard_error, rel=0.08)


def test_ninety_five_of_a_hundred_intervals_hold_the_truth():
    generator = np.random.default_rng(1)
    intervals = bootstrap_many((generator.random((1000, 300)) < 0.6).astype(np.float32))
    assert 0.92 < np.mean([i.low <= 0.6 <= i.high for i in intervals]) < 0.97


@settings(deadline=None, max_examples=50)
@given(values=outcomes, seed=st.integers(0, 5))
def test_an_interval_holds_its_mean_and_is_repeatable(values, seed):
    interval = bootstrap(values, resamples=200, seed=seed)
    assert interval == bootstrap(values, resamples=200, seed=seed)
    assert values.min() - 1e-9 <= interval.low <= interval.high <= values.max() + 1e-9
    assert interval.low <= interval.mean + 1e-9
    assert interval.high >= interval.mean - 1e-9


def test_rows_share_their_resamples_and_chunks_change_nothing(monkeypatch):
    def bounds(intervals):
        return np.array([(i.low, i.high, i.mean) for i in intervals])

    values = np.random.default_rng(3).random((3, 500))
    together = bounds(bootstrap_many(values))
    assert bounds([bootstrap(row) for row in values]) == pytest.approx(together)
    monkeypatch.setattr("holdfast.evaluation.intervals._KEPT", 0)
    monkeypatch.setattr("holdfast.evaluation.intervals._CHUNK", 7 * 500)
    assert bounds(bootstrap_many(values)) == pytest.approx(together)


def test_no_queries_have_no_interval():
    with pytest.raises(DataError, match="at least one query"):
        bootstrap(np.zeros(0))


def test_of_counts_the_interval_is_that_of_the_values():
    values = np.random.default_rng(1).integers(0, 11, 2000) / 10
    each, counts = np.unique(values, return_counts=True)
    counted, whole = bootstrap_counts(each, counts, 4000), bootstrap(values, 4000)
    assert counted.mean == pytest.approx(whole.mean)
    assert (counted.low, counted.high) == pytest.approx((whole.low, whole.high), abs=0.002)
    with pytest.raises(DataError):
        bootstrap_counts(np.array([1.0]), np.array([0]))


def test_wilson_is_right_for_rare_events():
    # Newcombe (1998), table I, the score method without continuity correction.
    for count, total, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611)):
        interval = wilson(count, total)
        assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)
        assert interval.mean == count / total
    assert wilson(29, 29).high == 1
    with pytest.raises(DataError):
        wilson(0, 0)
