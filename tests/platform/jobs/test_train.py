"""A run in this process: what it leaves behind, and how it goes on."""

import json

import numpy as np
import pytest

from holdfast.base import ConfigError, ConflictError
from holdfast.jobs.train import run_experiment
from holdfast.learning.progress import ignore_progress
from holdfast.runs.evaluate import evaluate_lineage
from holdfast.store import open_store

pytestmark = pytest.mark.long


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "store") as opened:
        yield opened


def report_of(outcome):
    return json.loads(outcome.report.with_suffix(".json").read_text())


def test_a_run_leaves_versions_measurements_and_a_report(store, tiny):
    outcome = run_experiment(store, tiny(), ignore_progress)
    assert outcome.versions == ["v1", "v2", "v3"]
    report = report_of(outcome)
    assert report["versions"] == ["v1", "v2", "v3"]
    for name in ("recall_at_1", "map_at_r", "intervals"):
        assert np.shape(report[name])[:2] == (3, 3)
    for name in ("ac", "am", "forgetting", "images_per_second"):
        assert isinstance(report[name], float)
    assert np.shape(report["per_task_recall_at_1"]) == (3, 3)
    assert {"learning", "embedding", "publishing"} <= set(report["seconds"])
    assert all(seconds > 0 for seconds in report["seconds"].values())
    assert report["machine"]
    assert report["experiment"]["name"] == "tiny"
    low, high = report["intervals"][2][0]
    assert low <= report["recall_at_1"][2][0] <= high
    page = outcome.report.read_text()
    assert "<script src" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")

    measured = {(row.query, row.gallery): row for row in store.compatibility.list()}
    assert set(measured) == {(a, b) for a in outcome.versions for b in outcome.versions if a != b}
    row = measured["v3", "v1"]
    assert row.value == pytest.approx(report["recall_at_1"][2][0])
    assert row.reference == pytest.approx(report["recall_at_1"][0][0])
    assert row.compatible == (row.value > row.reference)

    again = run_experiment(store, tiny(), ignore_progress)
    assert again.already_finished
    assert again.versions == outcome.versions


def test_a_version_is_what_the_report_measured(store, tiny):
    """Embeddings from the published file, scored by a plain argmax, give the report's self-test."""
    outcome = run_experiment(store, tiny(), ignore_progress)
    from holdfast.runs import load_datasets

    evaluation = load_datasets(tiny()).evaluation
    encoder = store.versions.load("v3")
    best = (encoder.embed(evaluation.queries.images) @ encoder.embed(evaluation.gallery.images).T).argmax(1)
    recall = 100 * np.mean(evaluation.gallery.labels[best] == evaluation.queries.labels)
    assert report_of(outcome)["recall_at_1"][2][2] == pytest.approx(recall)


def test_runs_continue_one_lineage_unless_told_otherwise(store, tiny):
    run_experiment(store, tiny(), ignore_progress)
    following = run_experiment(store, tiny(name="following", seed=1), ignore_progress)
    alone = run_experiment(store, tiny(name="alone", parent="none"), ignore_progress)
    parents = {version.name: version.parent for version in store.versions.list()}
    assert parents[following.versions[0]] == "v3"
    assert parents[alone.versions[0]] is None
    assert report_of(following)["versions"] == ["v1", "v2", "v3", "v4", "v5", "v6"]
    assert store.compatibility.get("v6", "v1") is not None
    assert store.compatibility.get(alone.versions[-1], "v1") is None


def test_fresh_gives_the_same_weights_as_new_versions(store, tiny):
    first = run_experiment(store, tiny(), ignore_progress)
    second = run_experiment(store, tiny(), ignore_progress, fresh=True)
    assert second.versions == ["v4", "v5", "v6"]
    contract = {version.name: version.contract for version in store.versions.list()}
    assert [contract[name] for name in first.versions] == [contract[name] for name in second.versions]


def test_another_experiment_under_the_same_name_is_refused(store, tiny):
    run_experiment(store, tiny(), ignore_progress)
    with pytest.raises(ConflictError, match="--fresh"):
        run_experiment(store, tiny(seed=5), ignore_progress)


def test_update_gain_against_a_control(store, tiny):
    run_experiment(store, tiny(), ignore_progress)
    control = tiny(
        name="control",
        parent="none",
        regularizers=[],
        learning={"epochs": 2, "batch_size": 16, "initialization": "independent"},
    )
    run_experiment(store, control, ignore_progress)
    file = evaluate_lineage(store, tiny(evaluation={"control": "control"}), None, ignore_progress)
    report = json.loads(file.with_suffix(".json").read_text())
    assert report["control"] == "control"
    assert np.shape(report["update_gain"]) == (3, 3)
    with pytest.raises(ConfigError, match="no report of a run 'missing'"):
        evaluate_lineage(store, tiny(evaluation={"control": "missing"}), None, ignore_progress)


def test_a_batch_too_small_for_the_workers_is_refused(store, tiny):
    with pytest.raises(ConfigError, match=r"learning\.batch_size"):
        run_experiment(store, tiny(scaling={"workers": 16}), ignore_progress)
