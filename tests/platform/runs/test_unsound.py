"""Nothing unsound is published; what is unsound, or gone, in a store is named and stops no other version."""

import json
from pathlib import Path

import pytest
import torch

from holdfast.base import DivergedError, NotFoundError, UnsoundError
from holdfast.jobs.train import run_experiment
from holdfast.learning.progress import ignore_progress
from holdfast.models import Encoder
from holdfast.runs.evaluate import evaluate_lineage
from holdfast.store import Draft, open_store

ONE_STEP = {"epochs": 1, "batch_size": 4096, "precision": "float32", "optimizer": {"learning_rate": 1e30}}


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "store") as opened:
        yield opened


def publish(store, experiment, folder, spoil, parent=None, task=0):
    encoder = Encoder(experiment.model)
    with torch.no_grad():
        spoil(encoder)
    encoder.save(folder)
    return store.versions.publish(
        Draft("by-hand", 1, task, parent, folder, experiment.to_yaml(), "no data", {"images": 0})
    )


def not_a_number(encoder):
    encoder.linear.weight[0, 0] = torch.nan


def broken_statistics(encoder):
    encoder.norm.running_var.fill_(torch.inf)


def all_zero(encoder):
    encoder.norm.weight.zero_()


def negative_variance(encoder):
    encoder.norm.running_var.fill_(-1)


@pytest.fixture
def publish_broken(store, tiny, tmp_path, monkeypatch):
    """As a Holdfast did that did not look."""

    def publish_it(spoil=not_a_number, **lineage):
        with monkeypatch.context() as patch:
            patch.setattr("holdfast.models.find_flaw", lambda encoder: None)
            return publish(store, tiny(), tmp_path / "broken", spoil, **lineage).name

    return publish_it


def test_a_last_step_that_breaks_the_weights_publishes_nothing(store, tiny):
    wild = tiny(name="wild", learning=ONE_STEP)
    for _ in range(2):  # Nor is the second attempt any other.
        with pytest.raises(DivergedError, match=r"task 1 .*nothing was published.*learning_rate.*--fresh"):
            run_experiment(store, wild, ignore_progress)
    assert store.versions.list() == []
    healthy = run_experiment(store, tiny(), ignore_progress)
    assert store.versions.get(healthy.versions[0]).parent is None
    mended = run_experiment(store, tiny(name="wild"), ignore_progress, fresh=True)
    assert mended.versions == ["v4", "v5", "v6"]


@pytest.mark.parametrize("spoil", [not_a_number, broken_statistics, all_zero, negative_variance])
def test_the_store_publishes_nothing_unsound_whoever_asks(store, tiny, tmp_path, spoil):
    with pytest.raises(UnsoundError, match="nothing was published"):
        publish(store, tiny(), tmp_path / "encoder", spoil)
    assert store.versions.list() == []


@pytest.mark.parametrize("spoil", [not_a_number, all_zero])
@pytest.mark.parametrize("parent", ["latest", "v1"])
def test_a_broken_parent_is_named_before_learning_begins(store, tiny, publish_broken, spoil, parent):
    publish_broken(spoil)
    for fresh in (False, True):
        with pytest.raises(UnsoundError, match=r"^v1 is of no use.*'parent: none'"):
            run_experiment(store, tiny(parent=parent), ignore_progress, fresh=fresh)
    assert store.runs.list() == []
    alone = run_experiment(store, tiny(parent="none"), ignore_progress)
    assert alone.versions == ["v2", "v3", "v4"]


def test_a_sound_version_is_proposed_and_a_run_can_start_from_it(store, tiny, publish_broken):
    run_experiment(store, tiny(), ignore_progress)
    publish_broken(parent="v3")
    following = tiny(name="following", seed=1)
    with pytest.raises(UnsoundError, match="'parent: v3'"):
        run_experiment(store, following, ignore_progress)
    outcome = run_experiment(store, following.model_copy(update={"parent": "v2"}), ignore_progress)
    assert store.versions.get(outcome.versions[0]).parent == "v2"
    report = json.loads(outcome.report.with_suffix(".json").read_text())
    assert report["versions"] == ["v1", "v2", *outcome.versions]
    assert store.compatibility.get(outcome.versions[-1], "v2") is not None
    assert store.compatibility.get(outcome.versions[-1], "v3") is None


def test_starting_over_takes_the_parent_that_the_experiment_names(store, tiny):
    run_experiment(store, tiny(), ignore_progress)
    run_experiment(store, tiny(name="next", seed=1), ignore_progress)
    for parent in ("v2", "none"):
        outcome = run_experiment(store, tiny(name="next", parent=parent), ignore_progress, fresh=True)
        assert store.versions.get(outcome.versions[0]).parent == (None if parent == "none" else parent)
    with pytest.raises(NotFoundError, match="no version 'v99'"):
        run_experiment(store, tiny(name="other", parent="v99"), ignore_progress)


def test_an_alias_can_be_the_parent(store, tiny):
    run_experiment(store, tiny(), ignore_progress)
    store.traffic.promote("v2", force=True)
    outcome = run_experiment(store, tiny(name="next", parent="live"), ignore_progress)
    assert store.versions.get(outcome.versions[0]).parent == "v2"


def test_an_ancestor_that_is_gone_or_broken_is_named_and_left_out(store, tiny):
    run_experiment(store, tiny(), ignore_progress)
    gone = Path(store.artifacts.uri) / store.versions.get("v1").artifacts / "weights.safetensors"
    gone.unlink()
    following = tiny(name="following", seed=1)
    with pytest.warns(UserWarning, match="v1 is left out of adapters, measurements and the report"):
        outcome = run_experiment(store, following, ignore_progress)
    assert json.loads(outcome.report.with_suffix(".json").read_text())["versions"] == [
        f"v{number}" for number in range(2, 7)
    ]
    with pytest.warns(UserWarning, match="v1 is left out"):
        evaluate_lineage(store, following, None, ignore_progress)
    with pytest.raises(UnsoundError, match="weights"):
        evaluate_lineage(store, following, "v1", ignore_progress)
