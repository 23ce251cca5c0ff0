"""A sweep on the built-in glyphs."""

import json
import subprocess
import sys

import pytest

from holdfast.config import load_experiment
from holdfast.errors import ConfigError
from holdfast.jobs.tune import apply_values, mark_front

SPACE = {
    "regularizers.feature-distillation.weight": {"kind": "loguniform", "low": 0.1, "high": 1000},
    "learning.optimizer.learning_rate": {"kind": "choice", "values": [0.001, 0.01]},
}


def test_sweep_writes_the_best_experiment(tmp_path, tiny):
    file = tmp_path / "sweep.yaml"
    file.write_text(tiny(tuning={"space": SPACE, "trials": 3, "grace_tasks": 1}).to_yaml())
    done = subprocess.run(
        [sys.executable, "-m", "holdfast", "tune", file, "--store", tmp_path / "store",
         "-o", tmp_path / "best.yaml", "--json"],
        capture_output=True,
        text=True,
        timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert len(outcome["trials"]) == 3
    start = outcome["start"]["values"]
    assert start["regularizers.feature-distillation.weight"] == 10
    assert (
        outcome["best"]["objective"] >= outcome["start"]["objective"]
        or outcome["best"]["tasks"] > outcome["start"]["tasks"]
    )
    best = load_experiment(tmp_path / "best.yaml")
    assert best.name == "tiny-tuned"
    chosen = outcome["best"]["values"]["regularizers.feature-distillation.weight"]
    assert best.regularizers[0].weight == pytest.approx(chosen)


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
