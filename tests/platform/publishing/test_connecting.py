"""Runs with adapters: what is fitted on which images, and that a crash in between leaves nothing undone."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes
from sqlalchemy import delete

from holdfast.config import Experiment
from holdfast.data import Augmentation, build_stream
from holdfast.jobs.train import run_experiment
from holdfast.learning.progress import ignore_progress
from holdfast.learning.randomness import derive_seed
from holdfast.models import Encoder
from holdfast.publishing.calibrating import Sides, fit_shift, search_halves
from holdfast.runs import load_datasets
from holdfast.runs.evaluate import evaluate_lineage
from holdfast.store import Adapters, MeasuredCalibration, Store, open_store
from holdfast.store.database.schema import adapters

PAIRS = [("v2", "v1"), ("v3", "v1"), ("v3", "v2")]


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "store") as opened:
        yield opened


@pytest.fixture
def adapted(tiny) -> Callable[..., Experiment]:
    def make(kind: str = "linear", maps: str = "entries", views: int = 1, **changes: object) -> Experiment:
        return tiny(**{"adapter": {"kind": kind, "maps": maps, "views": views}} | changes)

    return make


def digests(store: Store) -> dict[tuple[str, str], str]:
    return {(row.query, row.gallery): row.digest for row in store.adapters.list()}


def read(page: Path) -> dict:
    return json.loads(page.with_suffix(".json").read_text())


def seen(encoder: Encoder, experiment: Experiment, images: np.ndarray, task: int) -> np.ndarray:
    """What a version makes of a task's images and of their distorted copies."""
    augmentation = Augmentation(experiment.learning.augment)
    seed = derive_seed(experiment.seed, "adapter", task, "views")
    drawn = augmentation.draw(len(images), torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        distorted = encoder(augmentation.apply(torch.from_numpy(images), drawn)).numpy()
    return np.concatenate([encoder.embed(images), distorted])


def assert_calibrated(
    row: MeasuredCalibration, own: Sides, other: Sides, labels: np.ndarray, adapter: str | None
) -> None:
    """A shift by which the nearest wrong entries become alike where that helps, nothing elsewhere."""
    wrong = [
        np.where(labels[:, None] == labels, -np.inf, each.queries @ each.entries.T).max(axis=1).mean()
        for each in (own, other)
    ]
    fitted = fit_shift(search_halves(own, labels), search_halves(other, labels))
    assert fitted.shift == pytest.approx(wrong[0] - wrong[1], abs=1e-5)
    assert (row.gain, row.low, row.high) == pytest.approx((fitted.gain, fitted.low, fitted.high), abs=1e-3)
    assert row.shift == (pytest.approx(fitted.shift, abs=1e-5) if fitted.helps else 0.0)
    assert (row.adapter, row.config) == (adapter, {"fit": "shift", "images": len(labels)})


@pytest.mark.parametrize("maps", ["entries", "queries"])
def test_every_ancestor_gets_a_map_that_was_fitted_on_the_tasks_training_images(store, adapted, maps):
    experiment = adapted("rotation", maps)
    outcome = run_experiment(store, experiment, ignore_progress)
    assert list(digests(store)) == PAIRS
    data = load_datasets(experiment)
    tasks = build_stream(experiment.stream, data.training, experiment.seed)
    encoders = {name: store.versions.load(name) for name in outcome.versions}
    report = read(outcome.report)
    evaluation = data.evaluation
    registered = {(row.query, row.gallery): row for row in store.adapters.list()}
    calibrations = {(row.query, row.gallery): row for row in store.calibrations.list()}
    assert calibrations.keys() == {*PAIRS, *((gallery, query) for query, gallery in PAIRS)}
    for query, gallery in PAIRS:
        task = int(query[1:]) - 1
        indices = tasks[task].train
        newer, older = (
            seen(encoders[name], experiment, data.training.images[indices], task) for name in (query, gallery)
        )
        source, target = (older, newer) if maps == "entries" else (newer, older)
        rotation, _ = orthogonal_procrustes(source.astype(np.float64), target.astype(np.float64))
        adapter = store.adapters.load(query, gallery)
        assert np.allclose(adapter.matrix, rotation, atol=1e-5)
        row = registered[query, gallery]
        assert row.maps == maps
        own, there = newer[: len(indices)], older[: len(indices)]
        meeting = Sides(own, adapter.apply(there)) if maps == "entries" else Sides(adapter.apply(own), there)
        labels = data.training.labels[indices]
        assert_calibrated(calibrations[query, gallery], Sides(own, own), meeting, labels, row.digest)
        back = calibrations[gallery, query]  # an older version may search newer entries, without an adapter
        assert_calibrated(back, Sides(there, there), Sides(there, own), labels, None)

        queries = encoders[query].embed(evaluation.queries.images)
        entries = encoders[gallery].embed(evaluation.gallery.images)
        if maps == "entries":
            entries = adapter.apply(entries)
        else:
            queries = adapter.apply(queries)
        best = (queries @ entries.T).argmax(1)
        recall = 100 * np.mean(evaluation.gallery.labels[best] == evaluation.queries.labels)
        i, j = int(query[1:]) - 1, int(gallery[1:]) - 1
        assert report["recall_at_1"][i][j] == pytest.approx(recall)
        row = store.compatibility.get(query, gallery)
        assert row is not None
        assert (row.adapter, row.value) == (digests(store)[query, gallery], pytest.approx(recall))
        assert report["adapters"][i][j] == row.adapter
    for i in range(3):
        for j in range(i, 3):
            assert report["recall_at_1_raw"][i][j] == report["recall_at_1"][i][j]
            assert report["adapters"][i][j] is None
    assert store.compatibility.get("v1", "v3").adapter is None
    assert 0 <= report["ac_raw"] <= 1
    assert 0 <= report["mixed_raw"] <= 100

    before = store.counters()["compatibility"]
    evaluate_lineage(store, experiment, None, ignore_progress)
    assert store.counters()["compatibility"] == before


def test_a_map_rests_on_the_images_of_all_tasks_since(store, adapted):
    experiment = adapted()
    run_experiment(store, experiment, ignore_progress)
    tasks = build_stream(experiment.stream, load_datasets(experiment).training, experiment.seed)
    pairs = [len(task.train) * 2 for task in tasks]  # as they are and distorted
    rests_on = {pair: store.adapters.load(*pair).evidence.pairs for pair in PAIRS}
    assert rests_on == {
        ("v2", "v1"): pairs[1],
        ("v3", "v2"): pairs[2],
        ("v3", "v1"): pairs[1] + pairs[2],
    }
    before = digests(store)
    with store.engine.begin() as connection:
        connection.execute(delete(adapters).where(adapters.c.query == "v3").where(adapters.c.gallery == "v2"))
    evaluate_lineage(store, experiment, None, ignore_progress)
    assert digests(store) == before


def test_the_adapter_decides_no_weights_and_can_come_later(store, tiny, adapted):
    outcome = run_experiment(store, tiny(adapter=None), ignore_progress)
    plain = read(outcome.report)
    assert (plain["recall_at_1_raw"], plain["ac_raw"], plain["adapters"]) == (None, None, [])
    assert plain["mixed_raw"] is None
    assert run_experiment(store, adapted(), ignore_progress).already_finished
    found = read(evaluate_lineage(store, adapted(), None, ignore_progress))
    assert found["recall_at_1_raw"] == plain["recall_at_1"]
    assert found["ac_raw"] == plain["ac"]
    assert found["mixed_raw"] == plain["mixed"]["recall_at_1"][2]
    first = digests(store)
    assert list(first) == PAIRS

    # What is registered is used, whether or not the file asks for more; another kind replaces it.
    again = read(evaluate_lineage(store, tiny(adapter=None), None, ignore_progress))
    assert (again["adapters"], again["recall_at_1"]) == (found["adapters"], found["recall_at_1"])
    for other in (adapted("rotation"), adapted("rotation", "queries"), adapted("rotation", "queries", 0)):
        before = digests(store)
        evaluate_lineage(store, other, None, ignore_progress)
        assert not set(digests(store).values()) & {*first.values(), *before.values()}
        assert all(store.compatibility.get(*pair).adapter == digests(store)[pair] for pair in PAIRS)

    # Other distortions make other adapters, unless there are no distorted copies.
    learning = adapted().learning.model_dump(mode="json")
    steady = {"learning": {**learning, "augment": {"rotate": 0}}}
    before = digests(store)
    evaluate_lineage(store, adapted("rotation", "queries", 0, **steady), None, ignore_progress)
    assert digests(store) == before
    evaluate_lineage(store, adapted("rotation", "queries", **steady), None, ignore_progress)
    assert not set(digests(store).values()) & set(before.values())


def test_a_crash_between_publishing_and_registering_heals(tmp_path, adapted, monkeypatch):
    with open_store(tmp_path / "whole") as store:
        expected = read(run_experiment(store, adapted(), ignore_progress).report)
        wanted = digests(store)
    with open_store(tmp_path / "crashed") as store:
        register, calls = Adapters.put_in_force, []

        def crash_at_the_second(self, *arguments, **options):
            calls.append(arguments)
            if len(calls) == 2:
                raise RuntimeError("the power went")
            return register(self, *arguments, **options)

        monkeypatch.setattr(Adapters, "put_in_force", crash_at_the_second)
        with pytest.raises(RuntimeError, match="power"):
            run_experiment(store, adapted(), ignore_progress)
        monkeypatch.undo()
        assert [version.name for version in store.versions.list()] == ["v1", "v2", "v3"]
        assert list(digests(store)) == PAIRS[:1]
        found = read(run_experiment(store, adapted(), ignore_progress).report)
        assert [version.name for version in store.versions.list()] == ["v1", "v2", "v3"]
        assert digests(store) == wanted
        assert found["recall_at_1"] == expected["recall_at_1"]

        # And whatever is lost later comes back, the same, when the lineage is measured again.
        with store.engine.begin() as connection:
            connection.execute(delete(adapters).where(adapters.c.query == "v3"))
        file = store.artifacts.root / store.adapters.list()[0].artifact
        file.write_bytes(file.read_bytes()[:-1])
        evaluate_lineage(store, adapted(), None, ignore_progress)
        assert digests(store) == wanted
        assert all(store.adapters.load(*pair) is not None for pair in PAIRS)


def test_names_do_not_matter_and_a_lineage_of_two_runs_is_whole(store, tiny, adapted):
    run_experiment(store, adapted(), ignore_progress)
    run_experiment(store, adapted(), ignore_progress, fresh=True)
    found = digests(store)
    assert found["v5", "v4"] == found["v2", "v1"]
    assert found["v6", "v4"] == found["v3", "v1"]

    # Another width goes on from v6: only adapters lead back, and nothing leads forward.
    wider = adapted(
        name="wider", model={"dimension": 24, "width": 0.25}, regularizers=[], stream={"tasks": 2}
    )
    report = read(run_experiment(store, wider, ignore_progress).report)
    assert report["versions"] == ["v4", "v5", "v6", "v7", "v8"]
    fresh = [pair for pair in digests(store) if pair not in found]
    assert fresh == [
        ("v7", "v4"),
        ("v7", "v5"),
        ("v7", "v6"),
        ("v8", "v4"),
        ("v8", "v5"),
        ("v8", "v6"),
        ("v8", "v7"),
    ]
    recall = report["recall_at_1"]
    assert all(recall[i][j] is not None for i in range(5) for j in range(i + 1))
    assert all(recall[i][j] is None for i in range(3) for j in (3, 4))
    assert isinstance(report["ac"], float)
    assert (report["ac_raw"], report["mixed_raw"]) == (None, None)
    mixed = report["mixed"]
    assert mixed["versions"] == report["versions"]
    assert mixed["recall_at_1"][:3] == [None] * 3
    assert all(isinstance(value, float) for value in mixed["recall_at_1"][3:])
