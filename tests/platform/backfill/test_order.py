import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from holdfast.backfill.order import Candidates, ChangeModel, at_random, by_gain, oldest_first


def candidates(versions: list[int]) -> Candidates:
    return Candidates(np.arange(10, 10 + len(versions)), np.array(versions, np.int64))


@given(versions=st.lists(st.integers(1, 4)), known=st.booleans())
def test_every_policy_names_each_entry_once(versions: list[int], known: bool) -> None:
    some = candidates(versions)
    change = np.linspace(0, 1, len(versions), dtype=np.float32) if known else None
    for order in (oldest_first(some), at_random(some), by_gain(some, {1: 50.0}, change)):
        assert sorted(order.tolist()) == list(range(len(versions)))


def test_the_version_that_is_found_worst_comes_first_and_an_unmeasured_one_before_it() -> None:
    some = candidates([1, 2, 3, 1, 2, 3])
    order = by_gain(some, {1: 60.0, 2: 55.0})
    assert some.versions[order].tolist() == [3, 3, 2, 2, 1, 1]


def test_within_a_version_what_moves_farthest_comes_first() -> None:
    some = candidates([1, 2, 1, 2])
    order = by_gain(some, {1: 50.0, 2: 60.0}, np.array([0.1, 0.9, 0.3, 0.2], np.float32))
    assert order.tolist() == [2, 0, 1, 3]


def test_by_chance_is_the_same_each_time_and_by_age_is_by_number() -> None:
    some = candidates([1] * 50)
    assert at_random(some, 3).tolist() == at_random(some, 3).tolist() != at_random(some, 4).tolist()
    assert oldest_first(some).tolist() == list(range(50))


def test_the_model_learns_what_moves_from_a_sample() -> None:
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(3000, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    change = 0.2 + 0.3 * vectors[:, 0] - 0.5 * vectors[:, 1] ** 2 + generator.normal(0, 0.02, 3000)
    model = ChangeModel.fit(vectors[:500], change[:500])
    predicted = model.predict(vectors[500:])
    assert predicted.dtype == np.float32
    assert np.corrcoef(predicted, change[500:])[0, 1] > 0.9
