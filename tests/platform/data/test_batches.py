import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.base import ConfigError
from holdfast.data import Batches

sizes = st.integers(1, 200)


@given(count=sizes, batch=sizes, world=st.integers(1, 7), seed=st.integers(0, 9), epoch=st.integers(0, 5))
@settings(deadline=None)
def test_the_ranks_slices_are_the_global_batch(
    count: int, batch: int, world: int, seed: int, epoch: int
) -> None:
    alone = Batches(count, batch, seed)
    expected = list(alone.epoch(epoch))
    if alone.size < world:
        with pytest.raises(ConfigError, match="fewer workers"):
            Batches(count, batch, seed, 0, world)
        return
    ranks = [Batches(count, batch, seed, rank, world) for rank in range(world)]
    assert {one.steps for one in ranks} == {alone.steps}
    for step, parts in enumerate(zip(*(one.epoch(epoch) for one in ranks), strict=True)):
        assert np.array_equal(np.concatenate(parts), expected[step])
        for part, even in zip(parts, np.array_split(expected[step], world), strict=True):
            assert np.array_equal(part, even)
        for one, part in zip(ranks, parts, strict=True):
            assert np.array_equal(part, expected[step][one.slice])


@given(count=sizes, batch=sizes, seed=st.integers(0, 9), epoch=st.integers(0, 5))
@settings(deadline=None)
def test_an_epoch_sees_images_once(count: int, batch: int, seed: int, epoch: int) -> None:
    batches = Batches(count, batch, seed)
    seen = list(batches.epoch(epoch))
    assert len(seen) == batches.steps >= 1
    assert {len(positions) for positions in seen} == {batches.size} == {min(batch, count)}
    positions = np.concatenate(seen)
    assert len(set(positions.tolist())) == len(positions) > count - batch
    assert positions.min() >= 0
    assert positions.max() < count


def test_every_epoch_and_seed_has_its_order() -> None:
    orders = {
        tuple(np.concatenate(list(Batches(50, 10, seed).epoch(epoch))).tolist())
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(orders) == 9
    first, again = (np.concatenate(list(Batches(50, 10, 1).epoch(2))) for _ in range(2))
    assert np.array_equal(first, again)


def test_going_on_in_the_middle_of_an_epoch() -> None:
    batches = Batches(100, 9, 0, 1, 2)
    whole = list(batches.epoch(3))
    rest = list(batches.epoch(3, start_step=4))
    assert len(rest) == len(whole) - 4
    assert all(np.array_equal(one, other) for one, other in zip(rest, whole[4:], strict=True))
    assert list(batches.epoch(3, start_step=batches.steps)) == []


@pytest.mark.parametrize(
    "arguments", [(0, 8, 0), (8, 0, 0), (-1, 8, 0), (8, 8, 0, 2, 2), (8, 8, 0, -1, 2), (8, 2, 0, 0, 3)]
)
def test_impossible_batches(arguments: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError):
        Batches(*arguments)
