"""Projections from the command's run to the gallery: nothing of what is there is ever embedded anew."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import safetensors.numpy

from holdfast.backfill import Backfills, price
from holdfast.base import ConfigError, DataError, HoldfastError, NotFoundError
from holdfast.config import Experiment
from holdfast.data import Featurizer
from holdfast.entries import Entry
from holdfast.jobs.train import run_experiment
from holdfast.learning import ignore_progress
from holdfast.models import Format, ProjectedModel, Wishes, read_exported
from holdfast.models.projections import principal_directions
from holdfast.publishing import BridgeRequest
from holdfast.runs import (
    adopt_model,
    build_bridge,
    distill_experiment,
    export_version,
    load_datasets,
    try_model,
)
from holdfast.search import Gallery
from holdfast.store import Store, open_store
from tests.fixtures.onnx_models import FEATURES, write_onnx

Make = Callable[..., Experiment]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """With an ONNX model as `theirs` (v1), and vectors without one as `away` (v2)."""
    with open_store(tmp_path / "store") as opened:
        described = tmp_path / "model.yaml"
        described.write_text("size: 16\nchannels: 3\nscale: 0..1\n")
        model = write_onnx(tmp_path / "model.onnx", size=16)
        with try_model("theirs", f"onnx:{model}", Wishes(preprocessing=described)) as candidate:
            adopt_model(opened, candidate)
        with try_model("away", "vectors:acme/big", Wishes(dimension=6)) as candidate:
            adopt_model(opened, candidate)
        yield opened


@pytest.fixture
def over(tiny: Make) -> Make:
    """A tiny experiment that learns a projection."""

    def make(base: str = "theirs", /, **changes: object) -> Experiment:
        given: dict[str, object] = {
            "model": {"trunk": {"kind": "version", "name": base, "train": "none"}},
            "regularizers": [{"kind": "feature-replay"}],
            "stream": {"tasks": 2, "validation": 0.25},
        }
        return tiny(**given | changes)

    return make


def weights(store: Store, name: str) -> bytes:
    return store.versions.file(name, "weights.safetensors")


def test_what_it_learns_is_a_map_over_the_base(store: Store, over: Make) -> None:
    outcome = run_experiment(store, over(), ignore_progress)
    assert outcome.versions == ["v3", "v4"]
    first, second = map(store.versions.get, outcome.versions)
    assert (first.kind, first.base, first.parent, first.takes) == ("projection", "v1", "v1", ["image"])
    assert (second.base, second.parent, second.dimension) == ("v1", "v3", FEATURES)
    assert set(second.files) >= {"weights.safetensors", "projection.json"}
    assert not any(name.endswith(".onnx") for name in second.files)  # the base is not copied
    report = json.loads(outcome.report.with_suffix(".json").read_text())
    assert report["versions"] == ["v1", "v3", "v4"]
    assert report["exact"]
    # Whatever a gallery of theirs was filled for, it holds the base's vectors.
    for row in report["recall_at_1"]:
        assert row == pytest.approx([row[0]] * 3)
    base = store.versions.load("v1")
    seen = load_datasets(over(), decoder=Featurizer(base.contract().id, base)).evaluation
    model = store.versions.load("v4")
    assert isinstance(model, ProjectedModel)
    made = [model.map_vectors(part.images) for part in (seen.queries, seen.gallery)]
    best = (made[0] @ made[1].T).argmax(axis=1)
    own = 100 * np.mean(seen.gallery.labels[best] == seen.queries.labels)
    assert report["recall_at_1"][2][2] == pytest.approx(own)


@pytest.mark.parametrize("assignment", ["learned", "found"])
def test_codes_are_learned_and_vectors_are_rehearsed(store: Store, over: Make, assignment: str) -> None:
    trunk = {"kind": "version", "name": "theirs", "train": "none"}
    head = {"kind": "opqn", "bits": 4, "words": 4, "assignment": assignment}
    changes: dict[str, object] = {
        "model": {"trunk": trunk, "dimension": 8, "head": head},
        "regularizers": [{"kind": "rehearsal", "memory_bytes": 8000}],
        "stream": {"tasks": 2, "scenario": "extended-data", "validation": 0},
    }
    outcome = run_experiment(store, over(**changes), ignore_progress)
    codes = json.loads(outcome.report.with_suffix(".json").read_text())["codes"]
    assert (codes["versions"], codes["bytes"]) == (["v3", "v4"], 1)  # the base has none
    model = store.versions.load("v4")
    assert isinstance(model, ProjectedModel)
    assert model.quantizer is not None
    rows = np.eye(FEATURES, dtype=np.float32)
    assert model.quantizer.encode(model.map_vectors(rows)).shape == (FEATURES, 1)


def test_a_small_network_imitates_it_and_searches_the_gallery_of_the_base(
    store: Store, over: Make, tmp_path: Path
) -> None:
    run_experiment(store, over(stream={"tasks": 1, "validation": 0}), ignore_progress)
    small: dict[str, object] = {
        "name": "small",
        "model": {"dimension": FEATURES, "width": 0.125, "preprocessing": {"size": 12}},
        "regularizers": [],
        "stream": {"tasks": 1, "validation": 0},
        "distillation": {"source": "v3", "pairwise": 1},
    }
    outcome = distill_experiment(store, over(**small), ignore_progress)
    assert (outcome.version, outcome.source, outcome.source_parameters) == ("v4", "v3", None)
    assert store.compatibility.get("v4", "v1") is not None
    maps = {(row.query, row.gallery): row.digest for row in store.adapters.list()}
    assert maps["v4", "v1"] == maps["v3", "v1"]
    assert export_version(store, "v4", "torch", tmp_path / "small.pt2")[1] is None
    with pytest.raises(ConfigError, match="train: none, which makes a projection"):
        distill_experiment(store, over(name="no", distillation={"source": "v1"}), ignore_progress)


@pytest.mark.parametrize("format", ["torch", "onnx"])
def test_its_map_is_exported_for_the_vectors_of_its_base(
    store: Store, over: Make, tmp_path: Path, format: Format
) -> None:
    run_experiment(store, over(stream={"tasks": 1, "validation": 0}), ignore_progress)
    written, _ = export_version(store, "v3", format, tmp_path / "map")
    assert (written.version, written.parameters) == ("v3", FEATURES**2)
    rows = np.random.default_rng(1).standard_normal((5, FEATURES)).astype(np.float32)
    model = store.versions.load("v3")
    assert isinstance(model, ProjectedModel)
    found = read_exported(format, tmp_path / "map")(rows)
    np.testing.assert_allclose(found, model.map_vectors(rows), atol=1e-5)


def test_the_gallery_of_the_base_is_searched_and_nothing_else_is_written(store: Store, over: Make) -> None:
    run_experiment(store, over(), ignore_progress)
    base, model = store.versions.load("v1"), store.versions.load("v4")
    seen = load_datasets(over(), decoder=Featurizer(base.contract().id, base)).evaluation.gallery
    vectors = np.array(seen.images)
    gallery = Gallery(store)
    gallery.upsert([Entry(str(n), "v1", row) for n, row in enumerate(vectors)])
    store.traffic.promote("v4", writes=True, force=True)
    traffic = store.traffic.current()
    assert (traffic.query_version, traffic.write_version) == ("v4", "v1")
    assert isinstance(model, ProjectedModel)
    mapped = model.map_vectors(vectors)
    for number in (0, 7):
        found = gallery.search(mapped[number], "v4", k=5)
        expected = np.argsort(-(mapped @ mapped[number]), kind="stable")[:5]
        assert {hit.id for hit in found.hits} == {str(n) for n in expected}
        assert found.exact == ["v1"]
        assert found.adapted == []
        assert found.ranked_by(found.hits[0]) == "exact"
    with pytest.raises(HoldfastError, match=r"v4 is a projection over v1.*write vectors of v1"):
        gallery.upsert([Entry("new", "v4", mapped[0])])
    with pytest.raises(ConfigError, match="it is v1 that embeds them"):
        store.traffic.change(write_version="v4", force=True)
    with pytest.raises(ConfigError, match="nothing need be moved"):
        Backfills(store).create("v4")
    with pytest.raises(ConfigError, match="nothing need be moved"):
        price(store, "v4", "map", None, [])
    for old, new, said in (("theirs", "live", "nothing to bridge"), ("live", "away", "bridge v1 and v2")):
        with pytest.raises(ConfigError, match=said):
            build_bridge(store, old, new, BridgeRequest(), ignore_progress)


def test_a_projection_of_a_projection_reads_the_base(store: Store, over: Make) -> None:
    run_experiment(store, over(), ignore_progress)
    # Without validation images nothing is held against it.
    again = over("v4", name="again", seed=1, stream={"tasks": 2, "validation": 0})
    outcome = run_experiment(store, again, ignore_progress)
    found = store.versions.get(outcome.versions[0])
    assert (found.base, found.parent) == ("v1", "v4")
    assert store.compatibility.get(outcome.versions[0], "v4") is not None


def test_an_interrupted_run_gives_the_same_bytes(store: Store, over: Make, tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    def stop(progress: object) -> None:
        if getattr(progress, "task", 0) == 1 and getattr(progress, "step", 0) >= 2:
            raise StoppedError

    whole = run_experiment(store, over(), ignore_progress)
    cut = over(name="cut", parent="v1")
    with pytest.raises(StoppedError):
        run_experiment(store, cut, stop)
    outcome = run_experiment(store, cut, ignore_progress)
    assert len(outcome.versions) == 2
    for one, other in zip(whole.versions, outcome.versions, strict=True):
        assert weights(store, one) == weights(store, other)


def test_vectors_whose_images_nobody_has(store: Store, over: Make, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((8, 6))
    labels = np.repeat(np.arange(8), 12)
    rows = (centres[labels] + 0.3 * generator.standard_normal((96, 6))).astype(np.float32)
    table = pa.table(
        {
            "sample_id": [str(n) for n in range(96)],
            "label": [f"class {label}" for label in labels],
            "split": ["test" if n % 3 == 0 else "train" for n in range(96)],
            "vector": pa.FixedSizeListArray.from_arrays(rows.reshape(-1), 6),
        }
    )
    pq.write_table(table, tmp_path / "vectors.parquet")
    data = {
        "source": f"vectors:{tmp_path / 'vectors.parquet'}",
        "train": {"split": "train"},
        "evaluate": {"split": "test", "queries": 0.5},
    }
    outcome = run_experiment(store, over("away", data=data), ignore_progress)
    assert [store.versions.get(name).takes for name in outcome.versions] == [[], []]
    narrow = over(
        "away",
        name="narrow",
        data=data,
        model={"trunk": {"kind": "version", "name": "away", "train": "none"}, "dimension": 4},
    )
    found = store.versions.get(run_experiment(store, narrow, ignore_progress).versions[-1])
    assert (found.dimension, found.base) == (4, "v2")
    with pytest.raises(DataError, match="6 numbers; the version"):
        run_experiment(store, over("theirs", name="other", data=data), ignore_progress)


@pytest.mark.parametrize(
    ("name", "changes", "error", "said"),
    [
        ("nobody", {}, NotFoundError, "no version 'nobody'"),
        ("theirs", {"learning": {"turns": 4}}, ConfigError, r"learning\.turns is about images"),
        ("theirs", {"parent": "away"}, ConfigError, "v2 is no projection over v1"),
        ("away", {}, DataError, "v2 embeds no images"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_learned(
    store: Store, over: Make, name: str, changes: dict[str, object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        run_experiment(store, over(name, **changes), ignore_progress)
    assert store.runs.list() == []


def test_what_is_known_of_earlier_classes_goes_from_run_to_run(store: Store, over: Make) -> None:
    terms = [{"kind": kind} for kind in ("feature-distillation", "feature-replay", "whitening")]

    def learn(name: str, parent: str) -> dict[str, np.ndarray]:
        outcome = run_experiment(store, over(name=name, parent=parent, regularizers=terms), ignore_progress)
        return safetensors.numpy.load(store.versions.file(outcome.versions[-1], "kept.safetensors"))

    first = learn("first", "none")
    again = learn("again", "latest")
    np.testing.assert_array_equal(again["base.keys"], first["base.keys"])
    np.testing.assert_allclose(again["base.counts"], 2 * first["base.counts"])
    np.testing.assert_allclose(again["base.means"], first["base.means"], atol=1e-5)
    np.testing.assert_allclose(again["base.scatter"], 2 * first["base.scatter"], atol=1e-3)
    assert learn("anew", "none").keys() == first.keys()


def test_a_narrower_one_is_held_to_the_directions_at_which_it_begins(store: Store, over: Make) -> None:
    experiment = over(
        model={"trunk": {"kind": "version", "name": "theirs", "train": "none"}, "dimension": 4},
        regularizers=[{"kind": "feature-distillation", "weight": 1000}],
        stream={"tasks": 1, "validation": 0},
    )
    outcome = run_experiment(store, experiment, ignore_progress)
    model = store.versions.load(outcome.versions[-1])
    assert isinstance(model, ProjectedModel)
    base = store.versions.load("v1")
    rows = np.array(load_datasets(experiment, decoder=Featurizer(base.contract().id, base)).training.images)
    begun = rows @ principal_directions(rows, 4).numpy().T
    begun /= np.linalg.norm(begun, axis=1, keepdims=True)
    assert (begun * model.map_vectors(rows)).sum(axis=1).mean() > 0.98
