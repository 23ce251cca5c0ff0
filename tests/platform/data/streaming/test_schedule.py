import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.base import ConfigError
from holdfast.data import Batches, Schedule


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    sizes = draw(st.lists(st.integers(1, 30), min_size=1, max_size=20))
    pieces = np.repeat(np.arange(len(sizes)) * 3, sizes)
    return Schedule(pieces, draw(st.integers(1, 40)), draw(st.integers(0, 9)), draw(st.integers(1, 200)))


@given(schedule=schedules(), epoch=st.integers(0, 3))
@settings(deadline=None)
def test_an_epoch_shows_images_once_in_as_many_batches_as_ever(schedule: Schedule, epoch: int) -> None:
    batches = list(schedule.epoch(epoch))
    plain = Batches(schedule.count, schedule.size, 0)
    assert (len(batches), schedule.size) == (plain.steps, plain.size)
    assert {len(batch) for batch in batches} == {schedule.size}
    shown = np.concatenate(batches)
    assert len(set(shown.tolist())) == len(shown) > schedule.count - schedule.size
    assert (shown.min(), shown.max()) >= (0, 0)
    assert shown.max() < schedule.count


@given(schedule=schedules(), epoch=st.integers(0, 3))
@settings(deadline=None)
def test_a_window_of_steps_needs_what_its_lanes_read_there_and_no_more(
    schedule: Schedule, epoch: int
) -> None:
    drawn = schedule.draw(epoch)
    for lane, read in zip(schedule.lanes, drawn.read, strict=True):
        width = lane.stop - lane.start
        for start in range(0, schedule.steps, schedule.window):
            shown = drawn.shown[start : start + schedule.window, lane]
            own = read[start * width : (start + schedule.window) * width]
            assert sorted(shown.ravel().tolist()) == sorted(own.tolist())


@given(schedule=schedules(), epoch=st.integers(0, 3))
@settings(deadline=None)
def test_what_lies_in_a_piece_is_read_in_its_order(schedule: Schedule, epoch: int) -> None:
    """Each piece is read by one lane, from its beginning to its end, but for those at the ends of lanes."""
    ends = np.append(schedule._starts[1:], schedule.count)
    opened = 0
    for read in schedule.draw(epoch).read:
        turns = np.flatnonzero(np.diff(read) != 1)
        opened += 1 + len(turns)
        assert np.isin(read[turns] + 1, ends).all()
    assert opened <= len(ends) + len(schedule.lanes)


@given(schedule=schedules(), epoch=st.integers(0, 3), step=st.integers(0, 50))
@settings(deadline=None)
def test_any_step_can_be_begun_with(schedule: Schedule, epoch: int, step: int) -> None:
    whole, rest = list(schedule.epoch(epoch)), list(schedule.epoch(epoch, step))
    assert np.array_equal(rest, whole[step:])


def test_the_seed_the_epoch_and_the_pieces_decide() -> None:
    pieces = np.repeat(np.arange(10), 20)

    def shown(pieces: np.ndarray, seed: int, epoch: int) -> list[list[int]]:
        return [batch.tolist() for batch in Schedule(pieces, 16, seed, 64).epoch(epoch)]

    first = shown(pieces, 1, 2)
    assert shown(pieces, 1, 2) == first
    for other in (shown(pieces, 2, 2), shown(pieces, 1, 3), shown(np.repeat(np.arange(20), 10), 1, 2)):
        assert other != first


def test_images_that_lie_each_by_itself_are_shuffled_among_all() -> None:
    schedule = Schedule(np.arange(1000), 100, 0, 100)
    first = next(schedule.epoch(0))
    assert first.min() < 250
    assert first.max() > 750


def test_nothing_to_batch() -> None:
    with pytest.raises(ConfigError, match="batches of 4 from 0 images"):
        Schedule(np.zeros(0, np.int64), 4, 0, 8)
