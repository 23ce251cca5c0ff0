import pytest

from holdfast.tuning import Point, Trial, TuningConfig, falls_behind

SPACE = {"key": {"kind": "uniform", "low": 0, "high": 1}}


def config(**changes):
    return TuningConfig.model_validate({"space": SPACE, **changes})


def trial(number, *objectives):
    curve = [Point(task + 1, value, value, value, 10, 1.0) for task, value in enumerate(objectives)]
    return Trial(number, {}, "running", curve)


OTHERS = [trial(1, 50, 60, 70, 80), trial(2, 40, 50, 60, 70), trial(3, 30, 40, 50, 60)]


@pytest.mark.parametrize(
    ("objectives", "grace", "stops"),
    [
        ((10,), 1, True),
        ((45,), 1, False),  # in the better half after one task
        ((10,), 2, False),  # too early
        ((45, 45), 1, True),
        ((45, 55, 1), 1, False),  # between two rungs
        ((1, 1, 1, 1), 1, False),  # it has learned them all
    ],
)
def test_halving_stops_the_worse_half_at_its_rungs(objectives, grace, stops):
    one = trial(0, *objectives)
    assert falls_behind(one, [one, *OTHERS], config(grace_tasks=grace), 4) is stops


def test_the_first_to_arrive_goes_on():
    one = trial(0, 1)
    assert not falls_behind(one, [one], config(grace_tasks=1), 4)


@pytest.mark.parametrize(("objectives", "stops"), [((10, 10), True), ((50, 10), False), ((44, 46), False)])
def test_the_median_rule_takes_the_best_so_far(objectives, stops):
    one = trial(0, *objectives)
    chosen = config(stopping="median", grace_tasks=1)
    assert falls_behind(one, [one, *OTHERS], chosen, 4) is stops
    assert not falls_behind(one, [one, *OTHERS[:2]], chosen, 4)


@pytest.mark.parametrize("changes", [{"stopping": "none"}, {"objective": "front"}])
def test_nothing_stops_where_nothing_is_to(changes):
    one = trial(0, 1)
    assert not falls_behind(one, [one, *OTHERS], config(grace_tasks=1, **changes), 4)


def test_who_failed_is_not_compared_with():
    bad = trial(1, 90)
    bad.error = "it broke"
    one = trial(0, 1)
    assert not falls_behind(one, [one, bad], config(grace_tasks=1), 4)
