"""A small encoder imitates a published one: measured, repeatable, and refused where it cannot."""

import json
import re
import shutil

import numpy as np
import pytest

from holdfast.base import ConfigError, ConflictError, DataError, NotFoundError
from holdfast.jobs.train import run_experiment
from holdfast.learning import FolderCheckpoints
from holdfast.learning.progress import ignore_progress
from holdfast.models import Preprocessing
from holdfast.runs import distill as module
from holdfast.runs import load_datasets, run_folder
from holdfast.runs.distill import distill_experiment
from holdfast.runs.evaluate import evaluate_lineage
from holdfast.store import open_store

pytestmark = pytest.mark.long

SMALL = {
    "name": "small",
    "stream": {"tasks": 1, "validation": 0.25},
    "model": {"dimension": 16, "width": 0.125, "preprocessing": {"size": 14, "view": "edges"}},
    "regularizers": [],
    "distillation": {"pairwise": 0.5},
}


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """Filled by the first test that needs it: a store with v1 and v2."""
    return tmp_path_factory.mktemp("learned") / "store"


@pytest.fixture
def store(learned, tiny, tmp_path):
    if not learned.exists():
        with open_store(learned) as opened:
            run_experiment(opened, tiny(stream={"tasks": 2, "validation": 0.25}), ignore_progress)
    with open_store(shutil.copytree(learned, tmp_path / "store")) as opened:
        yield opened


@pytest.fixture
def small(tiny):
    def make(**changes):
        return tiny(**{**SMALL, **changes})

    return make


def distill(store, experiment, **options):
    return distill_experiment(store, experiment, ignore_progress, **options)


def test_a_small_version_of_its_own_measured_against_the_large_gallery(store, small):
    outcome = distill(store, small())
    assert (outcome.version, outcome.source) == ("v3", "v2")
    assert outcome.parameters < outcome.source_parameters
    version = store.versions.get("v3")
    assert (version.parent, version.distilled_from) == ("v2", "v2")
    assert version.contract_body["preprocessing"]["view"] == "edges"
    report = json.loads(outcome.report.with_suffix(".json").read_text())
    assert report["versions"] == ["v1", "v2", "v3"]
    assert report["distilled_from"] == "v2"
    assert "distilled from v2" in outcome.report.read_text()
    again = distill(store, small())
    assert again.already_finished
    assert again.version == "v3"


def test_the_measured_pair_is_small_queries_over_the_large_gallery(store, small):
    """Embeddings from the published files, each from its own pixels, scored by a plain argmax."""
    outcome = distill(store, small())
    measured = {(row.query, row.gallery): row for row in store.compatibility.list()}
    assert {("v3", "v2"), ("v2", "v3"), ("v3", "v1"), ("v1", "v3")} <= set(measured)
    recall = {}
    data = {
        name: load_datasets(small(), decoder=store.versions.load(name).preprocessing) for name in ("v2", "v3")
    }
    for query, gallery in (("v3", "v2"), ("v3", "v3"), ("v2", "v2")):
        queries, entries = data[query].evaluation.queries, data[gallery].evaluation.gallery
        scores = (
            store.versions.load(query).embed(queries.images)
            @ store.versions.load(gallery).embed(entries.images).T
        )
        recall[query, gallery] = 100 * np.mean(entries.labels[scores.argmax(1)] == queries.labels)
    row = measured["v3", "v2"]
    assert row.value == pytest.approx(recall["v3", "v2"])
    assert row.reference == pytest.approx(recall["v3", "v3"])
    assert row.compatible == (row.value > row.reference)
    report = json.loads(outcome.report.with_suffix(".json").read_text())
    assert report["recall_at_1"][1][1] == pytest.approx(recall["v2", "v2"])
    assert report["compatible"][2][1]["reference"] == pytest.approx(recall["v3", "v3"])


def test_it_imitates(store, small):
    """After some epochs an image's two embeddings are nearer to each other than to other images'."""
    learning = {"epochs": 20, "batch_size": 16, "precision": "float32", "optimizer": {"learning_rate": 0.01}}
    outcome = distill(store, small(learning=learning, distillation={"imitation": 1.0}))
    theirs = load_datasets(small(), decoder=store.versions.load("v2").preprocessing).training.images
    ours = load_datasets(small()).training.images
    cosines = store.versions.load(outcome.version).embed(ours) @ store.versions.load("v2").embed(theirs).T
    assert cosines.diagonal().mean() > 0.6 > np.abs(cosines).mean()
    history = store.versions.get(outcome.version).metrics["history"]
    assert set(history[0]) == {"feature-distillation"}
    assert history[-1]["feature-distillation"] < history[0]["feature-distillation"] / 2


def test_older_entries_reach_it_through_the_adapters_of_its_source(store, small):
    distill(store, small())
    registered = {(row.query, row.gallery): row for row in store.adapters.list()}
    assert registered["v3", "v1"].digest == registered["v2", "v1"].digest
    assert ("v3", "v2") not in registered
    measured = {(row.query, row.gallery): row for row in store.compatibility.list()}
    assert measured["v3", "v1"].adapter == registered["v2", "v1"].digest


def test_measuring_again_reads_each_versions_own_images(store, small):
    """Also where the embeddings of the large version have to be made anew."""
    outcome = distill(store, small())
    before = json.loads(outcome.report.with_suffix(".json").read_text())["recall_at_1"]
    shutil.rmtree(store.runs_folder.parent / "artifacts" / "tensors")
    evaluate_lineage(store, small(), None, ignore_progress)
    after = json.loads(outcome.report.with_suffix(".json").read_text())["recall_at_1"]
    np.testing.assert_allclose(np.array(after, float), np.array(before, float))


def test_a_head_is_kept_only_if_it_was_taught(store, small):
    distill(store, small())
    assert "head.safetensors" not in store.versions.get("v3").files
    distill(store, small(name="labelled", distillation={"metric": 0.5}))
    assert "head.safetensors" in store.versions.get("v4").files
    assert store.versions.get("v4").parent == "v2"
    assert "classification" in store.versions.get("v4").metrics["history"][0]


def test_the_next_run_does_not_start_from_the_small_one(store, small, tiny):
    distill(store, small())
    outcome = run_experiment(store, tiny(name="next", seed=1), ignore_progress)
    assert store.versions.get(outcome.versions[0]).parent == "v2"


class KilledError(Exception):
    """Stands for a process that died."""


def test_an_interrupted_distillation_goes_on_bit_identically(store, small, monkeypatch, tmp_path):
    with open_store(shutil.copytree(store.runs_folder.parent, tmp_path / "whole")) as other:
        whole = other.versions.get(distill(other, small()).version).contract

    class Dying(FolderCheckpoints):
        def save(self, state):
            super().save(state)
            raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(run_folder, "FolderCheckpoints", Dying)
        with pytest.raises(KilledError):
            distill(store, small())
    assert store.versions.get(distill(store, small()).version).contract == whole


def test_fewer_images_are_a_share_of_every_class(store, small):
    tenth = {"tasks": 1, "validation": 0.25, "share": 0.2}
    distill(store, small(stream=tenth))
    all_images = distill(store, small(name="all")).version
    counts = [store.versions.get(name).metrics["images"] for name in ("v3", all_images)]
    assert counts[0] < counts[1] / 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": {"dimension": 8, "width": 0.125}}, r"model\.dimension is 8.*v2.*must be 16"),
        ({"stream": {"tasks": 2}}, r"stream\.tasks is 2.*must be 1"),
        ({"regularizers": [{"kind": "mixing"}]}, "leave mixing out"),
        ({"learning": {"adversarial": {"kind": "pgd"}}}, r"learning\.adversarial.*leave it out"),
        ({"distillation": None}, "no section 'distillation'"),
    ],
)
def test_what_cannot_imitate_is_refused_before_anything_is_written(store, small, changes, said):
    with pytest.raises(ConfigError, match=said):
        distill(store, small(**changes))
    assert "small" not in {run.name for run in store.runs.list()}


def test_a_source_that_is_missing_or_another_one(store, small, tmp_path):
    with pytest.raises(NotFoundError, match=r"no version 'v9'.*v1, v2"):
        distill(store, small(distillation={"source": "v9"}))
    with open_store(tmp_path / "empty") as empty, pytest.raises(NotFoundError, match="no version to imitate"):
        distill(empty, small())
    distill(store, small(distillation={"source": "v1"}))
    with pytest.raises(ConflictError, match="imitates v1, not v2"):
        distill(store, small(), fresh=True)


def test_images_that_only_one_of_the_two_can_read_are_named(store, small, monkeypatch):
    load = module.load_datasets

    def without_one(experiment, watch, decoder=None):
        data = load(experiment, watch, decoder)
        if decoder is None:
            return data
        return type(data)(data.training.take(np.arange(1, len(data.training))), data.evaluation)

    monkeypatch.setattr(module, "load_datasets", without_one)
    first = load(small(), ignore_progress).training.sample_ids[0]
    with pytest.raises(DataError, match=rf"^1 images .* only one of v2.*{re.escape(first)}"):
        distill(store, small())


def test_run_refuses_a_distillation(store, small):
    with pytest.raises(ConfigError, match="holdfast distill"):
        run_experiment(store, small(), ignore_progress)


@pytest.mark.parametrize("preprocessing", [{"size": 20, "channels": 3}, {"view": "local-binary-patterns"}])
def test_other_inputs(store, small, preprocessing):
    outcome = distill(store, small(model={"dimension": 16, "width": 0.125, "preprocessing": preprocessing}))
    assert store.versions.load(outcome.version).preprocessing == Preprocessing.model_validate(preprocessing)
