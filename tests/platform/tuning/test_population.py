import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.tuning import Point, Sweep, Trial, TuningConfig, across, moved, take_over

SPACE = {
    "regularizers.a.weight": {"kind": "loguniform", "low": 0.1, "high": 1000},
    "regularizers.b.count": {"kind": "uniform", "low": 1, "high": 9},
    "learning.optimizer.learning_rate": {"kind": "choice", "values": [0.1, 0.2, 0.4]},
}
VALUES = dict(zip(SPACE, (10.0, 4, 0.2), strict=True))


def config(**changes):
    return TuningConfig.model_validate(
        {"space": SPACE, "stopping": "pbt", "grace_tasks": 1, "trials": 8, **changes}
    )


def whole(key):
    return key.endswith("count")


def population(objectives, tasks=1):
    trials = []
    for number, objective in enumerate(objectives):
        values = {**VALUES, "regularizers.a.weight": number + 1.0}
        curve = [Point(task + 1, objective, objective, objective, 10, 1.0) for task in range(tasks)]
        trials.append(Trial(number, values, curve=curve, checkpoint=f"at-{number}", before=[values] * tasks))
    return Sweep({}, trials, generation=tasks - 1)


@given(st.lists(st.integers(0, 20), min_size=4, max_size=13), st.integers(0, 100))
def test_the_worst_quarter_takes_over_from_the_best(objectives, seed):
    sweep = population(objectives)
    take_over(sweep, config(), seed, whole)
    count = -(-len(objectives) // 4)
    taken = [trial for trial in sweep.trials if trial.took]
    assert len(taken) <= count
    if sorted(objectives)[count - 1] < sorted(objectives)[-count]:
        assert len(taken) == count
    for trial in taken:
        ((after, number),) = trial.took
        source = sweep.trials[number]
        assert after == 1
        assert source.last.objective > objectives[trial.number]
        assert source.last.objective >= sorted(objectives)[-count]
        assert objectives[trial.number] <= sorted(objectives)[count - 1]
        assert (trial.curve, trial.before, trial.checkpoint) == (
            source.curve,
            source.before,
            source.checkpoint,
        )
        same, each = across(trial, 3)
        assert {**same, **{key: values[0] for key, values in each.items()}} == source.values
        assert {**same, **{key: values[-1] for key, values in each.items()}} == trial.values
    again = population(objectives)
    take_over(again, config(), seed, whole)
    assert again == sweep


@given(st.integers(0, 1000))
def test_values_are_moved_within_the_space(seed):
    draw, values = np.random.default_rng(seed), VALUES
    for _ in range(20):
        before, values = values, moved(values, config().space, draw, whole)
        assert 0.1 <= values["regularizers.a.weight"] <= 1000
        assert type(values["regularizers.b.count"]) is int
        assert 1 <= values["regularizers.b.count"] <= 9
        assert values["learning.optimizer.learning_rate"] in (0.1, 0.2, 0.4)
        assert set(values) == set(before)


def test_nothing_is_taken_over_before_the_grace_has_ended_or_from_who_failed():
    sweep = population([1, 2, 3, 4])
    take_over(sweep, config(grace_tasks=2), 0, whole)
    assert sweep.generation == 1
    assert not any(trial.took for trial in sweep.trials)
    sweep = population([1, 2, 3, 90])
    sweep.trials[3].state = "failed"
    take_over(sweep, config(), 0, whole)
    assert [trial.took for trial in sweep.trials] == [[(1, 2)], [], [], []]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"objective": "front"}, "one figure"),
        ({"search": "grid"}, "one figure"),
        ({"trials": 3}, "4 trials or more"),
        (
            {
                "space": {
                    **SPACE,
                    "b": {"kind": "uniform", "low": 0, "high": 1, "when": {list(SPACE)[2]: [0.1]}},
                }
            },
            "'when' leaves some out",
        ),
    ],
)
def test_what_is_no_population_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        config(**changes)
