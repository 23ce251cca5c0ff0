"""Runs that start from a model that somebody else made, and whose entries are in the gallery."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from holdfast.base import DataError, NotFoundError
from holdfast.config import Experiment
from holdfast.data import Featurizer
from holdfast.entries import Entries, Entry
from holdfast.jobs.train import run_experiment
from holdfast.learning import ignore_progress
from holdfast.models import Wishes
from holdfast.runs import adopt_model, load_datasets, try_model
from holdfast.store import Store, open_store
from tests.fixtures.onnx_models import FEATURES, write_onnx

Make = Callable[..., Experiment]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """With an ONNX model as `theirs`, and vectors without one as `away`."""
    with open_store(tmp_path / "store") as opened:
        described = tmp_path / "model.yaml"
        described.write_text("size: 16\nchannels: 3\nscale: 0..1\n")
        wishes = Wishes(preprocessing=described)
        model = write_onnx(tmp_path / "model.onnx", size=16)
        with try_model("theirs", f"onnx:{model}", wishes) as candidate:
            adopt_model(opened, candidate)
        with try_model("away", "vectors:acme/big", Wishes(dimension=6)) as candidate:
            adopt_model(opened, candidate)
        yield opened


@pytest.fixture
def taught(tiny: Make) -> Make:
    def make(**changes: object) -> Experiment:
        return tiny(**{"parent": "theirs", "stream": {"tasks": 2, "validation": 0.25}} | changes)

    return make


def test_what_it_learns_is_a_child_of_the_adopted_version(store: Store, taught: Make) -> None:
    experiment = taught(model={"width": 0.25})
    outcome = run_experiment(store, experiment, ignore_progress)
    assert outcome.versions == ["v3", "v4"]
    first, second = map(store.versions.get, outcome.versions)
    assert (first.parent, first.dimension) == ("v1", FEATURES)  # as wide as the model that it learns from
    assert second.parent == "v3"
    assert first.metrics["history"][0]["feature-distillation"] > 0
    pairs = {(row.query, row.gallery) for row in store.adapters.list()}
    assert pairs == {("v3", "v1"), ("v4", "v1"), ("v4", "v3")}
    report = json.loads(outcome.report.with_suffix(".json").read_text())
    assert report["versions"] == ["v1", "v3", "v4"]
    assert all(value is not None for value in report["recall_at_1"][-1])
    model = store.versions.load("v1")
    seen = load_datasets(experiment, decoder=Featurizer(model.contract().id, model)).evaluation
    best = (seen.queries.images @ seen.gallery.images.T).argmax(axis=1)
    own = 100 * np.mean(seen.gallery.labels[best] == seen.queries.labels)
    assert report["recall_at_1"][0][0] == pytest.approx(own)
    assert store.compatibility.get("v3", "v1") is not None


def test_vectors_that_nobody_has_are_asked_for_before_anything_is_learned(store: Store, taught: Make) -> None:
    with pytest.raises(DataError, match=r"v2 embeds no images, and the gallery has its vectors of 0 of"):
        run_experiment(store, taught(parent="away"), ignore_progress)
    assert store.runs.list() == []


def test_the_gallery_knows_the_vectors_of_a_model_that_is_out_of_reach(store: Store, taught: Make) -> None:
    experiment = taught(parent="away")
    data = load_datasets(experiment)
    generator = np.random.default_rng(0)
    parts = (data.training, data.evaluation.queries, data.evaluation.gallery)
    names = np.concatenate([part.sample_ids for part in parts])
    vectors = generator.normal(size=(len(names), 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    Entries(store).upsert(
        [Entry(str(name), "v2", vector) for name, vector in zip(names, vectors, strict=True)]
    )
    outcome = run_experiment(store, experiment, ignore_progress)
    report = json.loads(outcome.report.with_suffix(".json").read_text())
    assert report["versions"] == ["v2", *outcome.versions]


def test_an_unknown_name_is_refused(store: Store, taught: Make) -> None:
    with pytest.raises(NotFoundError, match=r"no version 'nobody'"):
        run_experiment(store, taught(parent="nobody"), ignore_progress)
