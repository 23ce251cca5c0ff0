"""Measuring from planted embeddings: what an adapter changes in the verdicts, the report and the cache."""

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest
from sqlalchemy import insert

from experiments.benchmarks.methods.calibration import calibrate
from holdfast.adapters import LinearAdapter, Maps, Pairs, ProcrustesConfig, fit_from_pairs
from holdfast.base import StoreError
from holdfast.config import EvaluationConfig
from holdfast.data import Evaluation, Task
from holdfast.data.image_set import ImageSet
from holdfast.evaluation import assign_versions
from holdfast.learning import Datasets, Embedded
from holdfast.publishing.assessment import Assessment
from holdfast.store import MeasuredCalibration, RegisteredAdapter, Store, open_store
from holdfast.store.database.schema import versions

CLASSES, WIDTHS = 20, {"v1": 12, "v2": 12, "v3": 18}
NOISE = {"v1": 0.9, "v2": 0.6, "v3": 0.4}


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "store") as opened:
        with opened.engine.begin() as connection:
            for number, (name, dimension) in enumerate(WIDTHS.items(), 1):
                parent = f"v{number - 1}" if number > 1 else None
                connection.execute(
                    insert(versions).values(
                        number=number, name=name, parent=parent, run="a", attempt=1, task=number,
                        contract=f"hf1-{number:016}", contract_body={}, dimension=dimension, experiment="",
                        data_fingerprint="", metrics={}, artifacts="", files={}, created_at=datetime.now(UTC),
                    )
                )  # fmt: skip
        yield opened


def image_set(each: int, seed: int) -> ImageSet:
    labels = np.repeat([f"c{n:02}" for n in range(CLASSES)], each)
    images = np.random.default_rng(seed).integers(0, 255, (len(labels), 1, 8, 8), np.uint8)
    return ImageSet(images, labels, labels, labels, {}, f"images-{seed}")


DATA = Datasets(image_set(6, 0), Evaluation(image_set(5, 1), image_set(15, 2)))
HELD_OUT = np.arange(0, 6 * CLASSES, 3)
TASKS = (Task(0, "all", np.setdiff1d(np.arange(6 * CLASSES), HELD_OUT), HELD_OUT, HELD_OUT, ()),)


class Planted:
    """Every version sees the same points: with less noise than its parent, and in a frame of its own."""

    def __init__(self) -> None:
        generator = np.random.default_rng(7)
        self.centres = generator.normal(size=(CLASSES, 12))
        turn = np.linalg.qr(generator.normal(size=(12, 12)))[0]
        wider = np.linalg.qr(generator.normal(size=(18, 18)))[0][:12]
        self.frames = {"v1": np.eye(12), "v2": turn, "v3": wider}

    def embed(self, version: str, images: ImageSet, seed: int) -> np.ndarray:
        codes = np.array([int(label[1:]) for label in images.labels])
        noise = np.random.default_rng(seed).normal(size=(len(codes), 12))
        vectors = (self.centres[codes] + NOISE[version] * noise) @ self.frames[version]
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    def embedded(self, version: str) -> Embedded:
        return Embedded(
            self.embed(version, DATA.evaluation.queries, 1),
            self.embed(version, DATA.evaluation.gallery, 2),
            self.embed(version, DATA.training, 3)[HELD_OUT],
        )

    def register(self, store: Store, query: str, gallery: str, maps: Maps = "entries") -> RegisteredAdapter:
        """An adapter fitted on the training images."""
        train = TASKS[0].train
        newer, older = (self.embed(name, DATA.training, 3)[train] for name in (query, gallery))
        if maps == "entries":
            adapter = fit_from_pairs(ProcrustesConfig(), Pairs(older, newer))
            return store.adapters.register(query, gallery, adapter)
        adapter = fit_from_pairs(ProcrustesConfig(maps="queries"), Pairs(newer, older))
        scores = calibrate(adapter.apply(newer), older, newer, DATA.training.labels[train])
        row = store.adapters.register(query, gallery, adapter, maps=maps)
        store.calibrations.record([MeasuredCalibration(query, gallery, scores.shift, row.digest)])
        return row


@pytest.fixture
def planted() -> Planted:
    return Planted()


@pytest.fixture
def assess(store: Store, planted: Planted) -> Callable[[], Assessment]:
    def make() -> Assessment:
        assessment = Assessment(store, DATA, TASKS, EvaluationConfig(resamples=100), seed=0)
        for version in WIDTHS:
            assessment.keep(version, planted.embedded(version))
        return assessment

    return make


@pytest.mark.parametrize("maps", ["entries", "queries"])
def test_a_planted_rotation_is_incompatible_until_the_adapter_undoes_it(store, planted, assess, maps):
    lineage = ["v1", "v2"]
    assessment = assess()
    assessment.measure(lineage)
    raw = assessment.figures(lineage, None)
    assert raw["ac"] == 0.0
    assert raw["recall_at_1"][1][0] < 15  # five times chance: another frame altogether
    assert store.compatibility.get("v2", "v1").compatible is False

    row = planted.register(store, "v2", "v1", maps)
    assert store.compatibility.get("v2", "v1") is None
    assessment = assess()
    assessment.measure(lineage)
    found = assessment.figures(lineage, None)
    measured = store.compatibility.get("v2", "v1")
    assert (measured.compatible, measured.adapter) == (True, row.digest)
    assert measured.value == found["recall_at_1"][1][0] > found["recall_at_1"][0][0]
    assert (found["ac"], found["ac_raw"]) == (1.0, 0.0)
    assert found["recall_at_1_raw"] == raw["recall_at_1"]
    assert found["adapters"] == [[None, None], [row.digest, None]]
    assert found["compatible"][1][0]["compatible"] is True
    assert found["recall_at_1"][0] == raw["recall_at_1"][0]  # the way back stays as it is
    assert found["negative_flips"][1][0] < raw["negative_flips"][1][0]
    mixed, without = found["mixed"]["recall_at_1"], raw["mixed"]["recall_at_1"]
    assert mixed[1] > without[1]
    assert mixed[1] > found["mixed"]["oldest_self"]
    assert mixed[0] == without[0]
    assert (raw["mixed_raw"], found["mixed_raw"]) == (None, without[1])


@pytest.mark.parametrize("maps", ["entries", "queries"])
def test_two_widths_meet_through_an_adapter_and_one_way_only(store, planted, assess, maps):
    lineage = [*WIDTHS]
    assessment = assess()
    assessment.measure(lineage)
    alone = assessment.figures(lineage, None)
    assert alone["recall_at_1"][2][:2] == [None, None]
    assert (alone["ac"], alone["mixed"]["versions"]) == (None, ["v3"])
    for pair in ("v3", "v1"), ("v3", "v2"), ("v2", "v1"):
        planted.register(store, *pair, maps)
    assessment = assess()
    assessment.measure(lineage)
    found = assessment.figures(lineage, None)
    assert found["ac"] == 1.0
    assert (found["ac_raw"], found["mixed_raw"]) == (None, None)
    assert [row[2] for row in found["recall_at_1"][:2]] == [None, None]
    mixed = found["mixed"]
    assert mixed["versions"] == lineage
    assert mixed["recall_at_1"][:2] == [None, None]
    assert mixed["recall_at_1"][2] > mixed["oldest_self"]
    assert sum(mixed["first_hits"]) == pytest.approx(1.0)


@pytest.mark.parametrize("maps", [["entries", "entries"], ["queries", "queries"], ["entries", "queries"]])
def test_the_mixed_gallery_is_searched_as_production_would(store, planted, assess, maps):
    """Entries mapped to the queries, or queries to the entries and their scores calibrated."""
    older = zip(("v1", "v2"), maps, strict=True)
    rows = {gallery: planted.register(store, "v3", gallery, way) for gallery, way in older}
    planted.register(store, "v2", "v1")
    assessment = assess()
    assessment.measure([*WIDTHS])
    figures = assessment.figures([*WIDTHS], None)

    labels = DATA.evaluation.gallery.labels
    assignment = assign_versions(labels, 3, 0)
    queries = planted.embedded("v3").queries
    products = np.empty((len(queries), len(labels)), np.float32)
    for number, version in enumerate(WIDTHS):
        mine = assignment == number
        entries = planted.embedded(version).gallery[mine]
        if version not in rows:
            products[:, mine] = queries @ entries.T
        elif rows[version].maps == "entries":
            products[:, mine] = queries @ store.adapters.load("v3", version).apply(entries).T
        else:
            scores = store.adapters.load("v3", version).apply(queries) @ entries.T
            (found,) = (row for row in store.calibrations.list() if row.gallery == version)
            products[:, mine] = scores + found.shift
    right = labels[products.argmax(1)] == DATA.evaluation.queries.labels
    assert figures["mixed"]["recall_at_1"][2] == pytest.approx(100 * right.mean())


def test_a_calibration_counts_without_an_adapter_and_its_gain_is_told(store, planted, assess):
    """Two versions of one frame: a shift that hides the older entries, and one that changes nothing."""
    lineage = ["v1", "v2"]
    for version in lineage:
        planted.frames = {**planted.frames, version: np.eye(12)}
    figures = []
    for shift in (None, 0.0, -3.0):
        if shift is not None:
            store.calibrations.record([MeasuredCalibration("v2", "v1", shift)])
        assessment = assess()
        assessment.measure(lineage)
        figures.append(assessment.figures(lineage, None)["mixed"])
    plain, same, hidden = figures
    assert (plain["uncalibrated"], plain["shifts"]) == (None, [0.0, 0.0])
    assert same["recall_at_1"] == plain["recall_at_1"]
    assert same["uncalibrated"] == plain["recall_at_1"][1]
    assert same["against_uncalibrated"]["difference"] == 0.0
    assert hidden["first_hits"] == [0.0, 1.0]
    assert plain["first_hits"][0] > 0.1
    assert hidden["uncalibrated"] == plain["recall_at_1"][1] != hidden["recall_at_1"][1]
    assert hidden["shifts"] == [-3.0, 0.0]
    assert hidden["recall_at_1"][0] == plain["recall_at_1"][0]  # the way back has none


def test_no_outcome_of_another_adapter_is_ever_used(store, planted, assess):
    """The cache beside a version knows which adapter an outcome belongs to."""
    lineage = ["v1", "v2"]
    values = []
    wrong = LinearAdapter.of(np.linalg.qr(np.random.default_rng(0).normal(size=(12, 12)))[0])
    for adapter in (None, wrong, None):
        if adapter is None:
            planted.register(store, "v2", "v1")
        else:
            store.adapters.register("v2", "v1", adapter)
        assessment = assess()
        assessment.measure(lineage)
        values.append(assessment.figures(lineage, None)["recall_at_1"][1][0])
        assert store.compatibility.get("v2", "v1").value == values[-1]
    assert values[0] == values[2] > 50 > values[1]

    # One that was measured before, over and over: nothing is recorded twice.
    before = store.counters()["compatibility"]
    assess().measure(lineage)
    assert store.counters()["compatibility"] == before


def test_cuts_are_measured_once_on_each_data_and_kept_with_the_version(store, assess, monkeypatch):
    assess().measure(["v1", "v3"])
    kept = {name: store.versions.get(name).cuts for name in WIDTHS}
    assert {name: [cut.dimensions for cut in cuts] for name, cuts in kept.items()} == {
        "v1": [8],
        "v2": [],
        "v3": [16, 8],
    }
    figures = assess()
    figures.measure(["v1"])
    assert kept["v1"][0].whole == figures.figures(["v1"], None)["recall_at_1"][0][0]
    monkeypatch.setattr("holdfast.publishing.assessment.measure_cuts", None)
    assess().measure(["v1", "v3"])
    assert [cut.evaluation for cut in store.versions.get("v3").cuts] == [figures.fingerprint] * 2


def test_a_damaged_adapter_stops_the_measurement(store, planted, assess):
    row = planted.register(store, "v2", "v1")
    (store.artifacts.root / row.artifact).write_bytes(b"nothing")
    with pytest.raises(StoreError, match=r"between v2 and v1 .* is damaged"):
        assess().measure(["v1", "v2"])


def blunt(store: Store, planted: Planted, noise: float) -> None:
    """A map from v1 to v2 that is right but for so much noise."""
    turn = planted.frames["v1"].T @ planted.frames["v2"]
    wrong = np.random.default_rng(3).normal(size=turn.shape)
    store.adapters.register("v2", "v1", LinearAdapter.of(turn + noise * wrong))


def test_a_pair_that_does_not_hold_by_its_map_holds_in_a_cascade(store, planted, assess):
    blunt(store, planted, 0.45)
    assessment = assess()
    assessment.measure(["v1", "v2"])
    row = store.compatibility.get("v2", "v1")
    by_map, in_cascade = store.compatibility.ways()[-2:]
    assert (by_map.candidates, by_map.compatible) == (0, False)
    assert (in_cascade.candidates, in_cascade.compatible) == (10, True)
    assert row == in_cascade
    # A roll-back is not searched for one.
    assert {each.candidates for each in store.compatibility.ways() if each.query == "v1"} == {0}

    figures = assessment.figures(["v1", "v2"], None)
    assert figures["compatible"][1][0]["compatible"] is False
    assert figures["cascades"][0] == [None, None]
    told = figures["cascades"][1][0]
    assert (told["candidates"], told["value"], told["compatible"]) == (10, in_cascade.value, True)
    count = len(store.compatibility.ways())
    assess().measure(["v1", "v2"])
    assert len(store.compatibility.ways()) == count


def test_a_store_that_was_measured_without_cascades_gets_them(store, planted, assess, monkeypatch):
    blunt(store, planted, 0.45)
    with monkeypatch.context() as patched:
        patched.setattr("holdfast.publishing.assessment.score_cascades", lambda *_: iter(()))
        assess().measure(["v1", "v2"])
    assert store.compatibility.get("v2", "v1").compatible is False
    assess().measure(["v1", "v2"])
    row = store.compatibility.get("v2", "v1")
    assert (row.candidates, row.compatible) == (10, True)


def test_no_cascade_is_measured_where_a_cheaper_way_holds_or_nothing_helps(store, planted, assess):
    planted.register(store, "v2", "v1")
    assessment = assess()
    assessment.measure(["v1", "v2"])
    assert {row.candidates for row in store.compatibility.ways()} == {0}
    assert assessment.figures(["v1", "v2"], None)["cascades"] == [[None, None], [None, None]]
    # A map that says nothing recalls nothing: the cascade is measured, and does not hold.
    blunt(store, planted, 50.0)
    assess().measure(["v1", "v2"])
    row = store.compatibility.get("v2", "v1")
    assert row is not None
    assert row.compatible is False
    assert {each.candidates for each in store.compatibility.ways() if each.query == "v2"} == {0, 10}
