import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from holdfast.backfill.plan import Candidates, at_random, by_gain, oldest_first


def candidates(versions: list[int]) -> Candidates:
    return Candidates(np.arange(10, 10 + len(versions)), np.array(versions, np.int64))


@given(versions=st.lists(st.integers(1, 4)))
def test_every_policy_names_each_entry_once(versions: list[int]) -> None:
    some = candidates(versions)
    for order in (oldest_first(some), at_random(some), by_gain(some, {1: 50.0})):
        assert sorted(order.tolist()) == list(range(len(versions)))


def test_the_version_that_is_found_worst_comes_first_and_an_unmeasured_one_before_it() -> None:
    some = candidates([1, 2, 3, 1, 2, 3])
    order = by_gain(some, {1: 60.0, 2: 55.0})
    assert some.versions[order].tolist() == [3, 3, 2, 2, 1, 1]


def test_by_chance_is_the_same_each_time_and_by_age_is_by_number() -> None:
    some = candidates([1] * 50)
    assert at_random(some, 3).tolist() == at_random(some, 3).tolist() != at_random(some, 4).tolist()
    assert oldest_first(some).tolist() == list(range(50))
