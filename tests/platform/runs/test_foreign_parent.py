"""Runs that start from a model that somebody else made, and whose entries are in the gallery."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from holdfast.base import DataError, NotFoundError, UnsoundError
from holdfast.config import Experiment, SampleConfig
from holdfast.data import Featurizer, build_stream
from holdfast.entries import Entries, Entry
from holdfast.jobs.train import run_experiment
from holdfast.learning import ignore_progress
from holdfast.models import Wishes
from holdfast.publishing import look
from holdfast.publishing.sampling import WEIGHTS
from holdfast.runs import adopt_model, load_datasets, try_model
from holdfast.store import Store, open_store
from tests.fixtures.endpoints import adopt_endpoint, running_vendor
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


def test_an_endpoint_that_has_become_another_model_teaches_nothing(store: Store, taught: Make) -> None:
    with running_vendor() as vendor:
        adopt_endpoint(store, vendor, "endpoint")
        vendor.model = 1
        with pytest.raises(UnsoundError, match="has become another model"):
            run_experiment(store, taught(parent="endpoint"), ignore_progress)
        assert store.runs.list() == []
        vendor.model = 0
        data = load_datasets(taught())
        read = partial(load_datasets, taught(), ignore_progress)
        seen = look(store, "v3", data, read)
        asked = len(vendor.requests)
        assert np.array_equal(look(store, "v3", data, read).training, seen.training)
    assert len(vendor.requests) - asked < 4  # the probes again, and no image


def test_an_unknown_name_is_refused(store: Store, taught: Make) -> None:
    with pytest.raises(NotFoundError, match=r"no version 'nobody'"):
        run_experiment(store, taught(parent="nobody"), ignore_progress)


def test_a_sample_of_the_gallery_fits_the_map_from_what_the_model_filled(
    store: Store, taught: Make, tmp_path: Path
) -> None:
    """Each entry names a file below `photos`; the first version published is fitted on some of them."""
    experiment = taught(stream={"tasks": 1, "validation": 0.25})
    photos = write_pictures(tmp_path / "photos", 40)
    model = store.versions.load("v1")
    Entries(store).upsert(
        [Entry(f"e{n}", "v1", model.embed([p.read_bytes()])[0], source=str(p)) for n, p in enumerate(photos)]
    )
    sampled = experiment.model_copy(
        update={"sample": SampleConfig(size=32, sources=(str(tmp_path / "photos"),)), "name": "sampled"}
    )
    outcome = run_experiment(store, sampled, ignore_progress)
    (row,) = store.adapters.list()
    assert (row.query, row.gallery) == (outcome.versions[0], "v1")
    assert row.config["sample"]["size"] == 32
    images = len(build_stream(sampled.stream, load_datasets(sampled).training, 0)[0].train)
    evidence = store.adapters.load(row.query, row.gallery).evidence
    assert any(evidence.pairs == pytest.approx(32 + weight * images, rel=1e-3) for weight in WEIGHTS)


def test_an_evaluation_gallery_stands_for_one(store: Store, taught: Make) -> None:
    few = {"sample": {"size": 40, "evaluation": True}}
    whole, less = load_datasets(taught()), load_datasets(taught(**few))
    assert less.sample is not None
    left = less.evaluation.gallery
    assert len(left) + 40 == len(whole.evaluation.gallery)
    assert not set(left.sample_ids) & set(less.sample.sample_ids)
    assert set(left.labels) == set(whole.evaluation.gallery.labels)
    experiment = taught(stream={"tasks": 1, "validation": 0.25}, **few)
    run_experiment(store, experiment, ignore_progress)
    (row,) = store.adapters.list()
    assert row.config["sample"]["evaluation"]


def write_pictures(folder: Path, count: int) -> list[Path]:
    folder.mkdir()
    generator = np.random.default_rng(0)
    files = [folder / f"{number}.png" for number in range(count)]
    for file in files:
        Image.fromarray(generator.integers(0, 256, (20, 20, 3), np.uint8)).save(file)
    return files


def test_entries_that_were_there_before_are_held_where_the_parent_has_them(
    store: Store, taught: Make, tmp_path: Path
) -> None:
    """The first task's parent is no network, the second's is; both have the same gallery."""
    photos = write_pictures(tmp_path / "photos", 40)
    model = store.versions.load("v1")
    broken = tmp_path / "photos" / "broken.png"
    broken.write_bytes(b"no image")
    Entries(store).upsert(
        [
            Entry(f"e{n}", "v1", model.embed([photos[0].read_bytes()])[0], source=str(p))
            for n, p in enumerate([*photos, broken])
        ]
    )
    plain = run_experiment(store, taught(name="plain"), ignore_progress)
    sample = SampleConfig(size=32, sources=(str(tmp_path / "photos"),))
    sampled = taught(name="sampled").model_copy(update={"sample": sample})
    assert sampled.fingerprint != taught(name="plain").fingerprint
    held = run_experiment(store, sampled, ignore_progress)
    same, other = (
        [store.versions.get(name).contract for name in (plain.versions[task], held.versions[task])]
        for task in (0, 1)
    )
    assert same[0] == same[1]
    assert other[0] != other[1]
