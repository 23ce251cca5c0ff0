import numpy as np

from holdfast.adapters.folds import deal


def test_every_pair_is_held_out_once_and_the_rest_is_the_rest():
    dealt = list(deal(11, 4, seed=3))
    assert sorted(np.concatenate([held for held, _ in dealt])) == list(range(11))
    assert all(sorted([*held, *rest]) == list(range(11)) for held, rest in dealt)


def test_there_are_no_more_folds_than_pairs():
    assert len(list(deal(3, 5, seed=0))) == 3
