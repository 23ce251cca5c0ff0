"""A sweep on the built-in glyphs."""

import json
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from holdfast.base import ConfigError
from holdfast.config import load_experiment
from holdfast.data import Evaluation, load_training
from holdfast.jobs import tune_experiment
from holdfast.jobs.tuning import apply_values, check_space, starting_point
from holdfast.learning import Datasets, run_sequence
from holdfast.runs import TrialCheckpoints, TrialPublisher
from holdfast.store import open_store
from holdfast.tuning import Sweep, across
from tests.fixtures.trackers import read_events
from tests.fixtures.waiting import wait_until

pytestmark = pytest.mark.long

SPACE = {
    "regularizers.feature-distillation.weight": {"kind": "loguniform", "low": 0.1, "high": 1000},
    "learning.optimizer.learning_rate": {"kind": "choice", "values": [0.001, 0.01]},
}


def test_a_killed_sweep_goes_on_writes_the_best_and_says_why_its_start_failed(tmp_path, tiny):
    """Its first trial diverges, and its whole numbers stay whole."""
    space = {
        "learning.optimizer.learning_rate": {"kind": "choice", "values": [0.01]},
        "learning.batch_size": {"kind": "uniform", "low": 8, "high": 12},
        "regularizers.feature-distillation.weight": {"kind": "loguniform", "low": 0.1, "high": 1000},
        "regularizers.0.growth": {"kind": "uniform", "low": 0, "high": 1},
    }
    file = tmp_path / "sweep.yaml"
    tuning = {"space": space, "trials": 3, "grace_tasks": 1}
    told = tmp_path / "told"
    tracking = [{"kind": "tests.fixtures.trackers:RecordingConfig", "file": str(told)}]
    file.write_text(tiny(name="n" * 100, tuning=tuning, tracking=tracking).to_yaml())
    command = [
        sys.executable, "-m", "holdfast", "tune", file, "--store", tmp_path / "store", "--json",
        "-o", tmp_path / "new" / "best.yaml", "--set", "learning.optimizer.learning_rate=1e30",
    ]  # fmt: skip
    said = (tmp_path / "said").open("w+")
    killed = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)
    record = tmp_path / "store" / "runs" / ("n" * 100) / "sweep.json"

    def has_learned_a_task():
        assert killed.poll() is None, (tmp_path / "said").read_text()
        return record.exists() and '"tasks": 1' in record.read_text()

    wait_until(has_learned_a_task, 300)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    before = json.loads(record.read_text())["trials"]

    def again(*more):
        return subprocess.run([*command, *more], capture_output=True, text=True, timeout=600)

    done = again()
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    outcome = json.loads(done.stdout)
    assert (outcome["failed"], outcome["diverged"]) == (1, 1)
    assert outcome["start"]["values"]["regularizers.feature-distillation.weight"] == 10
    assert "became" in outcome["start"]["error"]
    assert outcome["start"]["error"] in (tmp_path / "said").read_text()
    best, second, start = outcome["trials"]
    assert (best, start) == (outcome["best"], outcome["start"])
    assert {trial["machine"] for trial in outcome["trials"]} == {platform.node()}
    assert (best["tasks"], best["objective"]) >= (second["tasks"], second["objective"])
    assert type(best["values"]["learning.batch_size"]) is int
    written = load_experiment(tmp_path / "new" / "best.yaml")
    assert written.name.endswith("-tuned")
    chosen = best["values"]["regularizers.feature-distillation.weight"]
    assert written.regularizers[0].weight == pytest.approx(chosen)
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["best.yaml"]
    # What was there before it was killed is there, and nothing was measured twice.
    assert "goes on" in done.stderr
    after = {trial["number"]: trial for trial in json.loads(record.read_text())["trials"]}
    assert sorted(after) == [0, 1, 2]
    for trial in before:
        assert after[trial["number"]]["values"] == trial["values"]
        assert after[trial["number"]]["curve"][: len(trial["curve"])] == trial["curve"]
    events = read_events(told)
    assert len({each["key"] for each in events if each["event"] == "Begun"}) == 1
    ended = {each["number"]: each for each in events if each["event"] == "TrialEnded"}
    assert sorted(ended) == [0, 1, 2]
    assert ended[0]["error"] == outcome["start"]["error"]
    assert ended[best["trial"]]["curve"][-1]["figures"]["objective"] == best["objective"]
    assert {each["number"] for each in events if each["event"] == "TrialBegun"} == {0, 1, 2}
    assert (events[-1]["status"], events[-1]["figures"]["best/trial"]) == ("finished", best["trial"])
    page = Path(outcome["report"]).read_text()
    assert "Which weights are worth it?" in page
    # It has ended: the same command measures nothing, and another space does not go with its trials.
    repeated = again()
    assert json.loads(repeated.stdout) == outcome
    refused = again("--set", "tuning.objective=self")
    assert refused.returncode == 2
    assert "begun with another objective" in refused.stderr


def test_the_file_of_a_trial_that_took_over_another_gives_its_figures(tiny, tmp_path):
    space = {
        "learning.optimizer.learning_rate": {"kind": "loguniform", "low": 0.00001, "high": 0.01},
        "regularizers.feature-distillation.weight": {"kind": "loguniform", "low": 0.1, "high": 100},
    }
    tuning = {"space": space, "stopping": "pbt", "trials": 4, "grace_tasks": 1, "concurrent": 2}
    experiment, file = tiny(tuning=tuning), tmp_path / "population.yaml"
    file.write_text(experiment.to_yaml())
    command = [sys.executable, "-m", "holdfast", "tune", file, "-o", tmp_path / "best.yaml"]
    done = subprocess.run(
        [*command, "--store", tmp_path / "store", "--json"], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert [trial["state"] for trial in outcome["trials"]] == ["done"] * 4
    took = [trial for trial in outcome["trials"] if trial["took"]]
    assert took
    record = tmp_path / "store" / "runs" / experiment.name
    sweep = Sweep.read((record / "sweep.json").read_bytes())
    training = load_training(experiment.data, experiment.model.preprocessing)
    nothing = training.take(np.empty(0, np.int64))
    best, other = (sweep.trials[row["trial"]] for row in (outcome["best"], took[0]))
    written = load_experiment(tmp_path / "best.yaml")
    changed = apply_values(experiment, *across(other, other.tasks))
    assert changed.by_task, "from then on it learned with other values"
    for chosen, trial in ((written, best), (changed, other)):
        curve: list[tuple[float, float]] = []
        publisher = TrialPublisher(chosen, "mean", training, None)

        def report(measured, state, curve=curve):
            curve.append((measured["self"], measured["cross"]))

        checkpoints = TrialCheckpoints(publisher, report, None)
        run_sequence(chosen, Datasets(training, Evaluation(nothing, nothing)), publisher, checkpoints)
        assert curve == [(point.own, point.cross) for point in trial.curve]
    page = Path(outcome["report"]).read_text()
    after, source = took[0]["took"][0]
    assert f"took over trial {source} after task {after}" in page


def test_a_population_changes_nothing_that_is_the_same_in_all_tasks(tiny, tmp_path):
    where = {"kind": "choice", "values": [1, 2]}
    experiment = tiny(tuning={"space": {"learning.epochs": where}, "stopping": "pbt", "trials": 4})
    with (
        pytest.raises(ConfigError, match=r"learning\.epochs is the same in all tasks"),
        open_store(tmp_path / "store") as store,
    ):
        tune_experiment(store, experiment, tmp_path / "best.yaml", None)


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


def test_without_validation_images_nothing_could_be_judged(tiny, tmp_path):
    experiment = tiny(tuning={"space": SPACE}, stream={"tasks": 2, "validation": 0})
    with (
        pytest.raises(ConfigError, match=r"stream\.validation is 0"),
        open_store(tmp_path / "store") as store,
    ):
        tune_experiment(store, experiment, tmp_path / "best.yaml", None)


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
