"""The benchmark of methods: cells outlive being killed, first versions are shared, adapters come on top."""

import json
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from experiments.benchmarks.harness import cells as kept
from experiments.benchmarks.harness.child import module_command, module_environment
from experiments.benchmarks.harness.places import EXPERIMENTS
from experiments.benchmarks.methods import __main__ as command
from experiments.benchmarks.methods import choosing, measuring, recipes, searching, training, variants, work
from experiments.benchmarks.methods.calibration import Calibration
from experiments.benchmarks.methods.protocols import UPGRADE_LEARNING, all_protocols, hold_out_classes
from experiments.benchmarks.methods.training import Version
from holdfast.adapters import Meeting
from holdfast.base import DataError
from holdfast.config import SampleConfig, load_experiment
from holdfast.data import AugmentConfig, Evaluation, ImageSet, Task
from holdfast.evaluation import Part, assign_versions, score, score_parts
from holdfast.jobs.train import run_experiment
from holdfast.learning import Datasets, Embedded
from holdfast.learning.progress import ignore_progress
from holdfast.store import open_store

pytestmark = pytest.mark.long


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The benchmarks with small sizes, over a cache of their own."""
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path / "cache"))
    return all_protocols(quick=True)


def test_killed_after_the_first_cell_it_goes_on_and_measures_nothing_again(tmp_path: Path) -> None:
    methods = ("finetune", "feature", "prototypes", "unibct")
    command = module_command("experiments.benchmarks.methods", "--quick", "--only", "glyphs")
    command += ["--methods", ",".join(methods), "--seeds", "1", "--cores", "1"]
    command += ["--results", str(tmp_path / "results")]
    environment = module_environment(HOLDFAST_CACHE=str(tmp_path / "cache"), HOLDFAST_DATA=str(tmp_path))
    cells = tmp_path / "results" / "cells" / "glyphs"

    first = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 600
    while not list(cells.glob("*/*.json")):
        assert first.poll() is None, first.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    first.kill()
    first.communicate()
    before = {file: file.stat().st_mtime_ns for file in cells.glob("*/*.json")}
    assert 0 < len(before) < len(methods)

    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert f"{len(before)} of {len(methods)} cells are there" in done.stderr
    assert {file: file.stat().st_mtime_ns for file in before} == before
    assert {file.parent.name for file in cells.glob("*/*.json")} == set(methods)
    page = (tmp_path / "results" / "report.md").read_text()
    assert "Glyphs, 5 tasks by script" in page
    written = tmp_path / "results" / "experiments" / "glyphs" / "prototypes.yaml"
    assert yaml.safe_load(written.read_text())["regularizers"][0]["kind"] == "prototype-alignment"
    # All that the cells hold is in the Parquet file too: the cells' own folder may go.
    gathered = json.loads(next(iter(before)).read_text())["id"]
    import pyarrow.parquet as pq

    assert gathered in pq.read_table(tmp_path / "results" / "cells.parquet").column("id").to_pylist()


def weights(version: Any) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = version.encoder.state_dict()
    return state


def same_weights(one: Any, other: Any) -> bool:
    left, right = weights(one), weights(other)
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


@pytest.mark.parametrize("name", ["correlation+prototypes", "unibct", "dual-tuning"])
def test_a_shared_first_version_changes_no_bit(small: Any, tmp_path: Path, name: str) -> None:
    protocol = small["glyphs"]
    data = protocol.load()
    (method,) = recipes.find_methods([name])
    experiment, first = recipes.build(method, protocol, 3)
    finetune, _ = recipes.build(recipes.find_methods(["finetune"])[0], protocol, 3)
    assert training.shared_key(first, data) == training.shared_key(finetune, data) is not None

    file = tmp_path / "first.pt"
    training.first_or_kept(finetune, data, file)
    torch.rand(5)  # whatever else was drawn must not matter
    shared = training.first_or_kept(first, data, file)  # read from the file
    quick, _ = training.learn_all(experiment, first, data, shared)
    full, _ = training.learn_all(experiment, first, data)
    assert len(quick) == len(full) == 2
    for one, other in zip(quick, full, strict=True):
        assert same_weights(one, other)
        assert np.array_equal(one.embedded.queries, other.embedded.queries)
        assert np.array_equal(one.embedded.validation, other.embedded.validation)


def test_methods_that_keep_something_of_a_task_learn_the_first_one_themselves(small: Any) -> None:
    protocol = small["glyphs"]
    data = protocol.load()
    keys = {
        method.name: training.shared_key(recipes.build(method, protocol, 0)[1], data)
        for method in recipes.find_methods(["finetune", "independent", "fecd"])
    }
    (method,) = recipes.find_methods(["finetune"])
    assert keys["fecd"] is None
    assert keys["finetune"] == keys["independent"] is not None
    other_seed = recipes.build(method, protocol, 1)[1]
    assert training.shared_key(other_seed, data) != keys["finetune"]
    # Of two streams that begin alike, neither goes on from the other's checkpoint.
    streams = [small[f"omniglot-upgrade-{split}"] for split in ("extended-data", "open-data")]
    begun = [training.shared_key(recipes.build(method, one, 0)[1], one.load()) for one in streams]
    assert begun[0] != begun[1]
    # What the first version embedded is kept with it, so that a gallery without its sample is another.
    sampled = small["glyphs-sampled"].load()
    assert training.shared_key(recipes.build(method, protocol, 0)[1], sampled) not in keys.values()


def test_another_newer_network_starts_from_the_shared_first_version(small: Any) -> None:
    narrow = small["omniglot-upgrade-extended-class"]
    data = narrow.load()
    (method,) = recipes.find_methods(["feature"])
    experiment, first = recipes.build(method, replace(narrow, newer={"model.width": 0.5}), 0)
    versions, tasks = training.learn_all(experiment, first, data)
    assert [version.encoder.config.width for version in versions] == [0.25, 0.5]
    assert set(tasks[0].classes) < set(tasks[1].classes)
    other, _ = training.learn_all(*recipes.build(method, narrow, 0), data)
    assert same_weights(versions[0], other[0])


def test_joint_training_sees_what_all_tasks_train_on_and_nothing_that_is_held_out(small: Any) -> None:
    from holdfast.data import build_stream

    protocol = small["glyphs"]
    data = protocol.load()
    joint, _ = recipes.build(recipes.find_methods(["joint"])[0], protocol, 4)
    stream = build_stream(protocol.experiment("x", 4, {}).stream, data.training, 4)
    together = build_stream(joint.stream, data.training, 4)[-1]
    assert np.array_equal(together.train, np.sort(np.concatenate([task.train for task in stream])))
    assert np.array_equal(together.validation, np.sort(np.concatenate([task.validation for task in stream])))


def test_the_default_recipe_is_what_the_experiment_file_says() -> None:
    protocols = all_protocols()
    (method,) = recipes.find_methods(["holdfast"])
    for name in ("omniglot-5", "omniglot-10"):
        built, first = recipes.build(method, protocols[name + "-shipped"], 0)
        shipped = load_experiment(EXPERIMENTS / f"{name}.yaml")
        assert built == first
        assert built == shipped.model_copy(update={"name": built.name})


def test_all_methods_train_as_the_shipped_experiment_does() -> None:
    protocols = all_protocols()
    for name, protocol in protocols.items():
        like = "omniglot-5" if name.startswith(("omniglot-5", "choose")) else "omniglot-10"
        shipped = load_experiment(EXPERIMENTS / f"{like}.yaml")
        for method in recipes.METHODS:
            if method.name == "holdfast":
                continue
            built, _ = recipes.build(method, protocol, 0)
            assert built.learning.optimizer == shipped.learning.optimizer
            assert (built.adapter, built.learning.average, built.parent) == (None, None, "none")
            assert len(built.regularizers) == len(method.terms)
            if not name.startswith(("grocery", "glyphs")):
                unlike = {"average": None, "initialization": built.learning.initialization}
                if name.startswith("omniglot-upgrade"):
                    unlike |= UPGRADE_LEARNING
                assert built.learning == shipped.learning.model_copy(update=unlike)
                assert built.model == shipped.model.model_copy(update={"width": built.model.width})


def test_small_benchmarks_keep_their_kind_of_stream(small: Any) -> None:
    for name, protocol in all_protocols().items():
        assert small[name].plain.stream.scenario == protocol.plain.stream.scenario
        assert small[name].plain.stream.shares == protocol.plain.stream.shares
        assert small[name].plain.learning.epochs == 1


def test_adapters_are_measured_on_top_of_some_methods() -> None:
    protocol = all_protocols()["grocery"]
    known = {one.name: len(work.make_job(protocol, one, 0).variants) for one in recipes.METHODS}
    assert {name for name, count in known.items() if count > 1} == {
        "finetune",
        "correlation+prototypes",
        "holdfast",
    }
    maps = {one.name: one.config.maps for one in variants.VARIANTS}
    assert [name for name, kind in maps.items() if kind == "entries"] == ["entries-forward"]


def test_what_is_kept_is_recognised() -> None:
    """All that the file of results holds is planned, under the ids that the plan gives.

    Those of the default recipe change with it, and are then to be measured anew.
    """
    cells = kept.Cells(command.KEPT)
    jobs = [job for given in ([], ["--choose"]) for job in command.plan(command.parse(given), command.KEPT)]
    ids = {job.name: job.id for job in jobs}
    known = {name: cells.record(name) for name in cells.names() if name.method != "holdfast"}
    assert set(known) <= set(ids)
    assert [name for name, record in known.items() if record is None or record["id"] != ids[name]] == []


def test_all_methods_get_the_same_number_of_trials() -> None:
    for method in recipes.METHODS:
        trials = method.trials(5)
        assert len(trials) == (5 if method.terms and not method.chosen_as else 0)
        assert len({json.dumps(trial) for trial in trials}) == len(trials)
    assert recipes.spread(1, 5) == [pytest.approx((value,)) for value in (0.1, 10**-0.5, 1, 10**0.5, 10)]
    assert recipes.spread(2, 5) == [(1, 1), (3, 3), (3, 1), (1, 3), (1 / 3, 1 / 3)]


def image_set(labels: list[str], groups: list[str], drawers: list[int] | None = None) -> ImageSet:
    count = len(labels)
    columns = {"drawer": np.array(drawers)} if drawers else {}
    images = np.arange(count, dtype=np.uint8).reshape(count, 1, 1, 1)
    text = [np.array(values) for values in (labels, groups, [str(i) for i in range(count)])]
    return ImageSet(images, *text, columns=columns, fingerprint="x")


def test_validation_classes_are_those_of_every_fifth_group_and_train_nothing() -> None:
    names = [f"{group}{number}" for group in "ABCDEFG" for number in range(2) for _ in range(4)]
    images = image_set(names, [name[0] for name in names], [1, 2, 3, 4] * 14)
    data = hold_out_classes(images, "drawer <= 1")
    assert set(data.evaluation.queries.labels) == set(data.evaluation.gallery.labels) == {"E0", "E1"}
    assert not set(data.training.groups) & {"E"}
    assert len(data.training) == 48
    assert len(data.evaluation.queries) == 2
    by_share = hold_out_classes(images, 0.25)
    assert len(by_share.evaluation.queries) == 2


def test_the_best_trial_is_chosen(small: Any, tmp_path: Path) -> None:
    (method,) = recipes.find_methods(["feature"])
    jobs = choosing.trial_jobs(small["choose"], [method], 3)
    cells = kept.Cells(tmp_path)
    for job, own, cross in zip(jobs, (60, 50, 70), (20, 40, 5), strict=True):
        row = {"self_last": own, "cross": cross, "ac": 0.5}
        cells.keep(job.name, {"id": job.id, "rows": {"": row}}, {})
    file = tmp_path / "chosen.json"
    chosen = choosing.choose(cells, jobs, [method], 3, file)["feature"]
    assert chosen["score"] == 45
    assert chosen["terms"] == [{"kind": "feature-distillation", "weight": 10.0}]
    assert choosing.chosen_terms(choosing.read_chosen(file), method) == chosen["terms"]
    (control,) = recipes.find_methods(["fecd-control"])
    weights = [{"kind": "correlation-distillation", "weight": 7}, {"kind": "feature-estimation", "weight": 9}]
    terms = choosing.chosen_terms({"fecd": {"terms": weights}}, control)
    assert [(term["kind"], term["weight"], term.get("noise")) for term in terms] == [
        ("correlation-distillation", 7, None),
        ("feature-estimation", 9, "zero"),
    ]


def random_units(generator: np.random.Generator, count: int, dimension: int) -> np.ndarray:
    vectors = generator.normal(size=(count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


class Turned:
    """Embeds an image of one pixel, whose value is the row; distorted it is the same."""

    dimension = 8

    def __init__(self, rows: np.ndarray) -> None:
        self._rows = np.ascontiguousarray(rows)

    def embed(self, pixels: np.ndarray) -> np.ndarray:
        return self._rows[pixels.reshape(-1)]

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(self.embed((255 * pixels).round().long().numpy()))


@pytest.fixture
def rotated() -> tuple[list[Any], list[Task], Datasets]:
    """Two versions of eight dimensions: the second is the first one, rotated."""
    generator = np.random.default_rng(0)
    centres = random_units(generator, 12, 8)

    def images(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.repeat(np.arange(12), count)
        noisy = centres[labels] + generator.normal(scale=0.25, size=(len(labels), 8))
        return (noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(np.float32), labels.astype(str)

    (asked, asks), (held, holds), (seen, labels) = images(6), images(6), images(8)
    turn = np.linalg.qr(generator.normal(size=(8, 8)))[0].astype(np.float32)

    def image_set_of(names: np.ndarray) -> ImageSet:
        return image_set(names.tolist(), ["g"] * len(names))

    training = image_set_of(labels)
    data = Datasets(training, Evaluation(image_set_of(asks), image_set_of(holds)))
    train, validation = np.arange(0, 96, 2), np.arange(1, 96, 2)
    tasks = [Task(index, str(index), train, validation, validation, tuple(set(labels))) for index in range(2)]

    def version(frame: np.ndarray) -> Any:
        embedded = Embedded(asked @ frame, held @ frame, seen[validation] @ frame)
        return Version(Turned(seen @ frame), embedded, 1.0, 10)

    return [version(np.eye(8, dtype=np.float32)), version(turn)], tasks, data


def test_every_adapter_finds_a_planted_rotation(rotated: tuple[list[Any], list[Task], Datasets]) -> None:
    versions, tasks, data = rotated
    record, bits = measuring.measure(versions, tasks, data, variants.VARIANTS, AugmentConfig(), 0)
    rows = record["rows"]
    own = rows[""]["self_first"]
    assert own > 60
    assert rows[""]["cross"] < own - 20
    assert rows[""]["self_last"] == own
    assert len(rows) == 6
    for name in ("rotation", "rotation+slerp", "linear", "entries-forward", "low-rank-affine"):
        assert rows[name]["cross"] == pytest.approx(own, abs=1.5), name
        assert rows[name]["mixed"] > rows[""]["mixed"], name
    assert 100 * bits["cross/rotation"].mean() == pytest.approx(rows["rotation"]["cross"])
    newest = kept.unpack(bits["self_last/rotation"], 72)
    assert 100 * newest.mean() == pytest.approx(rows["rotation"]["self_last"])
    # Leave-one-out on the held-out images, the same in any frame.
    assert rows[""]["forgetting"] == 0
    assert kept.unpack(bits["closed"], len(bits["closed_tasks"])).shape == (96,)


def test_the_default_recipe_counts_with_the_adapter_that_it_ships(
    rotated: tuple[list[Any], list[Task], Datasets],
) -> None:
    versions, tasks, data = rotated
    shipped = variants.Variant("adapter", "", {"kind": "rotation", "views": 0})
    record, bits = measuring.measure(versions, tasks, data, [shipped], AugmentConfig(), 0)
    found, swapped = work._as_shipped(record, bits)
    assert set(found["rows"]) == {"", "without-adapter"}
    assert found["rows"][""]["cross"] > found["rows"]["without-adapter"]["cross"] + 20
    assert found["rows"][""]["forgetting"] == 0
    assert np.array_equal(swapped["cross"], bits["cross/adapter"])
    assert np.array_equal(swapped["mixed/without-adapter"], bits["mixed"])
    assert np.array_equal(swapped["closed"], bits["closed"])


def test_a_cascade_ranks_what_the_adapter_recalls_in_the_newer_space(
    rotated: tuple[list[Any], list[Task], Datasets],
) -> None:
    versions, tasks, data = rotated
    everything = len(data.evaluation.gallery.labels)
    adapter = {"kind": "rotation", "maps": "queries"}
    one, few, whole = (
        variants.Variant(str(count), "", adapter, candidates=count) for count in (1, 5, everything)
    )
    record, _ = measuring.measure(versions, tasks, data, [one, few, whole], AugmentConfig(), 0)
    rows = record["rows"]
    assert rows[few.name]["cross"] == pytest.approx(rows[""]["self_last"], abs=1.5)
    assert rows[few.name]["self_last"] == rows[""]["self_last"]
    # With every entry for a candidate, both galleries are as good as the version's own.
    assert rows[whole.name]["cross"] == rows[whole.name]["mixed"] == rows[""]["self_last"]
    # One candidate leaves nothing to rank.
    plain = variants.Variant("plain", "", adapter)
    beside, _ = measuring.measure(versions, tasks, data, [plain], AugmentConfig(), 0)
    for key in ("cross", "mixed", "ac"):
        assert rows[one.name][key] == beside["rows"]["plain"][key]


def test_a_recipe_with_an_adapter_is_measured_with_it(small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = {"regularizers": [], "adapter": {"kind": "rotation"}}
    monkeypatch.setattr(recipes, "default_recipe", lambda protocol: shipped)
    (method,) = recipes.find_methods(["holdfast"])
    with_it = work.make_job(small["glyphs"], method, 0)
    assert [variant.adapter["kind"] for variant in with_it.variants] == ["rotation"] * 3
    assert [variant.candidates for variant in with_it.variants] == [0, 10, 50]
    monkeypatch.setattr(recipes, "default_recipe", lambda protocol: {"regularizers": []})
    without = work.make_job(small["glyphs"], method, 0)
    assert without.variants == ()
    assert without.id != with_it.id


def test_a_mixed_gallery_is_ranked_as_the_product_ranks_it() -> None:
    generator = np.random.default_rng(1)
    meeting = variants.Comparable
    queries, labels = random_units(generator, 700, 6), np.arange(700) % 8
    galleries, holds = [random_units(generator, 60, 6) for _ in range(3)], np.arange(60) % 8
    assignment = assign_versions(holds, 3, seed=5)
    mixed = np.stack(galleries)[assignment, np.arange(60)]
    plain = (meeting(queries, gallery) for gallery in galleries)
    assert np.array_equal(
        searching.recall_mixed(plain, holds, 3, seed=5)[:, 0], score(queries, labels, mixed, holds).top[:, 0]
    )
    turns = [np.linalg.qr(generator.normal(size=(6, 6)))[0].astype(np.float32) for _ in galleries]
    scores = [Calibration(), Calibration(shift=-0.5), Calibration(shift=0.3)]
    parts = [
        Part(
            gallery[assignment == number],
            np.flatnonzero(assignment == number),
            Meeting(SimpleNamespace(apply=turn.__rmatmul__), "queries", own.shift),
        )
        for number, (gallery, turn, own) in enumerate(zip(galleries, turns, scores, strict=True))
    ]
    mapped = (
        meeting(queries @ turn, gallery, own)
        for gallery, turn, own in zip(galleries, turns, scores, strict=True)
    )
    assert np.array_equal(
        searching.recall_mixed(mapped, holds, 3, seed=5)[:, 0],
        score_parts(queries, labels, parts, holds).top[:, 0],
    )


def test_halfway_is_on_the_great_circle_and_opposite_points_stay() -> None:
    old, aligned = (random_units(np.random.default_rng(seed), 50, 6) for seed in range(2))
    middle = variants.halfway(old, aligned)
    to_old, to_aligned = ((middle * side).sum(axis=1) for side in (old, aligned))
    assert np.allclose(to_old, to_aligned, atol=1e-6)
    assert np.allclose(np.arccos(to_old) * 2, np.arccos((old * aligned).sum(axis=1)), atol=1e-3)
    assert np.array_equal(variants.halfway(old, -old), old)


def test_of_equal_entries_the_first_is_nearest() -> None:
    nearest, meeting = searching.nearest, variants.Comparable
    entries = np.eye(2, dtype=np.float32)[[1, 0, 0, 1]]
    values, positions = nearest(meeting(np.eye(2, dtype=np.float32), entries))
    assert (values.tolist(), positions.tolist()) == ([1, 1], [1, 0])
    assert nearest(meeting(entries[:1], entries), np.array([2, 3]))[1].tolist() == [3]
    with pytest.raises(DataError, match="NaN"):
        nearest(meeting(np.full((1, 2), np.nan, np.float32), entries))


@pytest.mark.parametrize(("maps", "sample"), [("entries", 32), ("queries", 0)])
def test_the_recipes_row_is_what_a_run_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, maps: str, sample: int
) -> None:
    """The same versions, adapters and figures as `holdfast run` would publish, over the same gallery."""
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path / "cache"))
    protocol = all_protocols(quick=True)["glyphs"].changed(
        {"stream.tasks": 3, "data.source": "glyphs:?classes=36&instances=8&size=16"}
    )
    protocol = replace(protocol, sample=sample)
    recipe = {
        "regularizers": [{"kind": "feature-distillation", "weight": 10}],
        "adapter": {"kind": "linear", "maps": maps, "views": 2},
        "learning.average": 0.5,
    }
    monkeypatch.setattr(recipes, "default_recipe", lambda protocol: recipe)
    (method,) = recipes.find_methods(["holdfast"])
    job = work.make_job(protocol, method, 0)
    threads = torch.get_num_threads()
    cell, _ = work.run_job(job, protocol.load(), None)
    row = cell["rows"][""]
    experiment = job.experiment.model_copy(
        update={
            "scaling": job.experiment.scaling.model_copy(update={"workers": 0, "cpus_per_worker": 1}),
            "sample": SampleConfig(size=sample, evaluation=True) if sample else None,
        }
    )
    with open_store(tmp_path / "store") as store:
        outcome = run_experiment(store, experiment, ignore_progress)
    torch.set_num_threads(threads)
    report = json.loads(outcome.report.with_suffix(".json").read_text())
    for i in range(3):
        assert row["recall_at_1"][i][: i + 1] == pytest.approx(report["recall_at_1"][i][: i + 1])
    assert row["ac"] == report["ac"]
    assert row["am"] == pytest.approx(report["am"])
    if maps == "entries":  # mapped queries are ranked by the comparison's own calibration
        assert row["mixed"] == pytest.approx(report["mixed"]["recall_at_1"][-1])
    assert row["forgetting"] == pytest.approx(report["forgetting"])
    assert cell["rows"]["without-adapter"]["ac"] == report["ac_raw"]
