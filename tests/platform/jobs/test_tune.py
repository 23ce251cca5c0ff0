"""A sweep on the built-in glyphs."""

import json
import subprocess
import sys

import pytest

from holdfast.base import ConfigError
from holdfast.config import load_experiment
from holdfast.data import load_training
from holdfast.jobs.space import apply_values, check_space, starting_point
from holdfast.jobs.tune import mark_front, tune_experiment
from holdfast.store import open_store

pytestmark = pytest.mark.long

SPACE = {
    "regularizers.feature-distillation.weight": {"kind": "loguniform", "low": 0.1, "high": 1000},
    "learning.optimizer.learning_rate": {"kind": "choice", "values": [0.001, 0.01]},
}


def test_a_sweep_writes_the_best_experiment_and_says_why_its_start_failed(tmp_path, tiny):
    """Its first trial diverges, and its whole numbers stay whole."""
    space = {
        "learning.optimizer.learning_rate": {"kind": "choice", "values": [0.01]},
        "learning.batch_size": {"kind": "uniform", "low": 8, "high": 12},
        "regularizers.feature-distillation.weight": {"kind": "loguniform", "low": 0.1, "high": 1000},
        "regularizers.0.growth": {"kind": "uniform", "low": 0, "high": 1},
    }
    file = tmp_path / "sweep.yaml"
    tuning = {"space": space, "trials": 3, "grace_tasks": 1}
    file.write_text(tiny(name="n" * 100, tuning=tuning).to_yaml())
    done = subprocess.run(
        [sys.executable, "-m", "holdfast", "tune", file, "--store", tmp_path / "store", "--json",
         "-o", tmp_path / "new" / "best.yaml", "--set", "learning.optimizer.learning_rate=1e30"],
        capture_output=True,
        text=True,
        timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    outcome = json.loads(done.stdout)
    assert (outcome["failed"], outcome["diverged"]) == (1, 1)
    assert outcome["start"]["values"]["regularizers.feature-distillation.weight"] == 10
    assert "became" in outcome["start"]["error"]
    assert outcome["start"]["error"] in done.stderr
    best, second, start = outcome["trials"]
    assert (best, start) == (outcome["best"], outcome["start"])
    assert (best["tasks"], best["objective"]) >= (second["tasks"], second["objective"])
    assert type(best["values"]["learning.batch_size"]) is int
    written = load_experiment(tmp_path / "new" / "best.yaml")
    assert written.name.endswith("-tuned")
    chosen = best["values"]["regularizers.feature-distillation.weight"]
    assert written.regularizers[0].weight == pytest.approx(chosen)
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["best.yaml"]


@pytest.mark.parametrize(
    ("key", "where", "said"),
    [
        ("regularizers.0.weight", {"kind": "uniform", "low": 3, "high": 1}, "low has to be less than high"),
        (
            "regularizers.0.weight",
            {"kind": "loguniform", "low": 3, "high": 1},
            "low has to be less than high",
        ),
        ("regularizers.0.weight", {"kind": "uniform", "low": 1, "high": 1}, "low has to be less than high"),
        ("regularizers.0.weight", {"kind": "loguniform", "low": 0, "high": 1}, "greater than 0"),
        ("regularizers.0.weight", {"kind": "uniform", "low": -1, "high": 1}, "-1.0 is refused"),
        ("learning.epochs", {"kind": "uniform", "low": 1.5, "high": 3}, "whole number"),
        ("learning.epochs", {"kind": "uniform", "low": 0, "high": 3}, "0 is refused"),
        ("learning.epochs", {"kind": "choice", "values": [1, 2.5]}, "2.5 is refused"),
        ("learning.precision", {"kind": "choice", "values": ["float32", "double"]}, "'double' is refused"),
        ("learning.augment.flip", {"kind": "uniform", "low": 0, "high": 1}, "true or false"),
        ("stream.tasks", {"kind": "choice", "values": [3, 500]}, "500 is refused"),
        ("data.source", {"kind": "choice", "values": ["folder:/nowhere"]}, "is refused"),
        ("learning.epoch", {"kind": "uniform", "low": 1, "high": 2}, "no value at 'learning.epoch'"),
        ("regularizers.typo.weight", {"kind": "uniform", "low": 1, "high": 2}, "has no item 'typo'"),
    ],
)
def test_what_the_experiment_refuses_is_found_before_the_sweep(key, where, said, tiny, tmp_path):
    with pytest.raises(ConfigError, match=said), open_store(tmp_path / "store") as store:
        tune_experiment(store, tiny(tuning={"space": {key: where}}), tmp_path / "best.yaml", None)


def test_a_value_named_twice_is_refused(tiny):
    where = {"kind": "uniform", "low": 1, "high": 2}
    for other in ("regularizers.feature-distillation.weight", "regularizers.0"):
        experiment = tiny(tuning={"space": {"regularizers.0.weight": where, other: where}})
        with pytest.raises(ConfigError, match="name one value"):
            starting_point(experiment, experiment.tuning.space)


def test_a_space_that_holds_is_accepted(tiny):
    space = {**SPACE, "learning.epochs": {"kind": "loguniform", "low": 1, "high": 4}}
    experiment = tiny(tuning={"space": space})
    training = load_training(experiment.data, experiment.model.preprocessing)
    check_space(experiment, experiment.tuning.space, training)
    assert starting_point(experiment, experiment.tuning.space)["learning.epochs"] == 2


def test_an_unknown_key_of_the_space_is_refused(tiny):
    with pytest.raises(ConfigError, match=r"regularizers\.typo"):
        apply_values(tiny(), {"regularizers.typo.weight": 1})
    with pytest.raises(ConfigError, match="unknown key"):
        apply_values(tiny(), {"learning.epoch": 1})


def test_front_holds_what_nothing_beats():
    rows = [
        {"self": 60.0, "cross": 40.0, "tasks": 3},
        {"self": 50.0, "cross": 50.0, "tasks": 3},
        {"self": 50.0, "cross": 45.0, "tasks": 3},
        {"self": 70.0, "cross": 60.0, "tasks": 2},
    ]
    mark_front(rows, tasks=3)
    assert [row["pareto"] for row in rows] == [True, True, False, False]
