"""Which values come next: by the record alone, whatever was interrupted."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from holdfast.tuning import Point, Trial, TuningConfig, propose

SPACE = {
    "weight": {"kind": "loguniform", "low": 0.1, "high": 100},
    "epochs": {"kind": "uniform", "low": 1, "high": 4, "points": 4},
    "head": {"kind": "choice", "values": [{"kind": "cosface", "margin": 0.2}, {"kind": "softmax"}]},
    "head.margin": {"kind": "uniform", "low": 0, "high": 1, "points": 2, "when": {"head": ["cosface"]}},
}
START = {"weight": 10.0, "epochs": 2, "head": {"kind": "softmax"}}


def config(**changes: Any) -> TuningConfig:
    return TuningConfig.model_validate({"space": SPACE, **changes})


def whole(key: str) -> bool:
    return key == "epochs"


def swept(config: TuningConfig, count: int, begun: list[Trial] | None = None) -> list[Trial]:
    """Trials that are the better the nearer `weight` is to 1."""
    trials = list(begun or [])
    while len(trials) < count:
        values = propose(config, trials, [START], 0, whole)
        if values is None:
            break
        value = 100 - abs(values["weight"] - 1)
        trials.append(Trial(len(trials), values, "done", [Point(3, value, value, value, 10, 1.0)]))
    return trials


@pytest.mark.parametrize("search", ["tpe", "random", "grid"])
@pytest.mark.parametrize("objective", ["mean", "front"])
def test_a_sweep_that_goes_on_proposes_what_it_would_have(search, objective):
    chosen = config(search=search, objective=objective)
    whole_sweep = swept(chosen, 14)
    assert whole_sweep[0].values == START
    for cut in (1, 5, 12):
        assert swept(chosen, 14, whole_sweep[:cut]) == whole_sweep


@pytest.mark.parametrize("search", ["tpe", "random", "grid"])
def test_values_are_of_the_space_and_conditions_hold(search):
    for trial in swept(config(search=search), 30)[1:]:
        assert 0.1 <= trial.values["weight"] <= 100
        assert type(trial.values["epochs"]) is int
        assert 1 <= trial.values["epochs"] <= 4
        assert ("head.margin" in trial.values) == (trial.values["head"]["kind"] == "cosface")
        assert list(trial.values)[:3] == ["weight", "epochs", "head"]


def test_a_grid_has_every_point_once_and_an_end():
    trials = swept(config(search="grid"), 1000)
    assert len(trials) == 1 + 5 * 4 * (2 + 1)
    assert len({str(trial.values) for trial in trials}) == len(trials)


def test_tpe_looks_where_trials_were_good():
    near = [abs(trial.values["weight"] - 1) < 5 for trial in swept(config(), 40)]
    assert sum(near[20:]) > sum(near[:20])


def test_trials_that_run_failed_or_stopped_are_taken_into_account():
    trials = swept(config(), 12)
    trials[3].state, trials[3].curve = "running", []
    trials[4].state, trials[4].error = "failed", "it broke"
    trials[5].state, trials[5].curve = "stopped", [Point(1, 50, 50, 50, 10, 1.0)]
    for objective in ("mean", "front"):
        assert propose(config(objective=objective), trials, [START], 0, whole)


@pytest.mark.parametrize("outside", [{"weight": 1e6}, {"head": {"kind": "arcface"}}, {"weight": None}])
def test_a_start_outside_of_the_space_does_no_harm(outside):
    first = START | outside
    trials = [Trial(0, first, "done", [Point(3, 50, 50, 50, 10, 1.0)])]
    assert propose(config(), trials, [first], 0, whole)


@settings(max_examples=40, deadline=None)
@given(
    low=st.floats(0.01, 100), span=st.floats(0.01, 100), points=st.integers(2, 9),
    kind=st.sampled_from(["uniform", "loguniform"]),
)  # fmt: skip
def test_a_grid_of_a_range_has_both_ends_and_rises(low, span, points, kind):
    where = {"kind": kind, "low": low, "high": low + span, "points": points}
    grid = TuningConfig.model_validate({"space": {"key": where}}).space["key"].grid()
    assert len(grid) == points
    assert (grid[0], grid[-1]) == (low, low + span)
    assert grid == sorted(grid)


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({"a": {"kind": "uniform", "low": 0, "high": 1, "when": {"b": [1]}}}, "no choice before it"),
        (
            {
                "a": {"kind": "uniform", "low": 0, "high": 1},
                "b": {"kind": "choice", "values": [1], "when": {"a": [1]}},
            },
            "no choice before it",
        ),
        ({"a": {"kind": "uniform", "low": 1, "high": 1}}, "low has to be less"),
        ({}, "at least 1"),
    ],
)
def test_a_space_that_means_nothing_is_refused(space, said):
    with pytest.raises(ValidationError, match=said):
        TuningConfig.model_validate({"space": space})
