from hypothesis import given
from hypothesis import strategies as st

from holdfast.tuning import Point, Trial, best_first, dominates, hypervolume, mark_front

PAIRS = st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), max_size=12)


def trial(number, own, cross, tasks=3, state="done"):
    return Trial(number, {}, state, [Point(tasks, (own + cross) / 2, own, cross, 10, 1.0)])


def test_the_front_holds_whole_trials_that_nothing_beats():
    trials = [trial(0, 60, 40), trial(1, 50, 50), trial(2, 50, 45), trial(3, 70, 60, 2, "stopped")]
    trials.append(Trial(4, {}, "failed", error="it broke"))
    mark_front(trials)
    assert [each.pareto for each in trials] == [True, True, False, False, False]
    assert [each.number for each in best_first(trials)] == [0, 1, 2, 3]


@given(PAIRS)
def test_the_front_is_what_the_area_is_made_of(pairs):
    trials = [trial(number, own, cross) for number, (own, cross) in enumerate(pairs)]
    mark_front(trials)
    front = [pair for pair, each in zip(pairs, trials, strict=True) if each.pareto]
    assert bool(front) == bool(pairs)
    assert not any(dominates(one, other) for one in pairs for other in front)
    assert hypervolume(front, (0, 0)) == hypervolume(pairs, (0, 0))


@given(PAIRS, st.tuples(st.floats(0, 100), st.floats(0, 100)))
def test_a_further_trial_never_makes_the_area_less(pairs, more):
    assert hypervolume([*pairs, more], (20, 20)) >= hypervolume(pairs, (20, 20)) - 1e-9


def test_areas():
    assert hypervolume([], (0, 0)) == 0
    assert hypervolume([(2, 3)], (0, 0)) == 6
    assert hypervolume([(2, 3), (3, 2)], (0, 0)) == 8
    assert hypervolume([(2, 3), (3, 2)], (2, 0)) == 2
