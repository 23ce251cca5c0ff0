"""The benchmark of methods: cells outlive being killed, first versions are shared, adapters come on top."""

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from holdfast.data import Evaluation, ImageSet, Task
from holdfast.errors import ConfigError
from holdfast.evaluation import mix, score
from holdfast.learning import Datasets, Embedded

BENCHMARKS = Path(__file__).parents[2] / "experiments" / "benchmarks"
EXPERIMENTS = BENCHMARKS.parent


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Imports a part of the benchmark as the command does."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return lambda name: importlib.import_module(f"comparison.{name}")


@pytest.fixture
def small(part: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The benchmarks with small sizes, over a cache of their own."""
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path / "cache"))
    return part("protocols").all_protocols(quick=True)


def test_killed_after_the_first_cell_it_goes_on_and_measures_nothing_again(tmp_path: Path) -> None:
    methods = ("finetune", "feature", "prototypes", "bct-old")
    command = [sys.executable, str(BENCHMARKS / "methods.py"), "--quick", "--only", "glyphs"]
    command += ["--methods", ",".join(methods), "--seeds", "1", "--cores", "1"]
    command += ["--results", str(tmp_path / "results")]
    environment = {**os.environ, "HOLDFAST_CACHE": str(tmp_path / "cache"), "HOLDFAST_DATA": str(tmp_path)}
    cells = tmp_path / "results" / "cells" / "glyphs"

    first = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(cells.glob("*/*.json")):
        assert first.poll() is None, first.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    first.kill()
    first.communicate()
    before = {file: file.stat().st_mtime_ns for file in cells.glob("*/*.json")}
    assert 0 < len(before) < len(methods)

    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert f"{len(before)} of {len(methods)} cells are there" in done.stderr
    assert {file: file.stat().st_mtime_ns for file in before} == before
    assert {file.parent.name for file in cells.glob("*/*.json")} == set(methods)
    page = (tmp_path / "results" / "results.md").read_text()
    assert "Glyphs, 5 tasks by script" in page
    assert "undefined: regularizers.influence.classifier is 'old'" in page
    written = tmp_path / "results" / "experiments" / "glyphs" / "prototypes.yaml"
    assert yaml.safe_load(written.read_text())["regularizers"][0]["kind"] == "prototype-alignment"
    # All that the cells hold is in the Parquet file too: the cells' own folder may go.
    gathered = json.loads(next(iter(before)).read_text())["id"]
    import pyarrow.parquet as pq

    assert gathered in pq.read_table(tmp_path / "results" / "glyphs.parquet").column("id").to_pylist()


def weights(version: Any) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = version.encoder.state_dict()
    return state


def same_weights(one: Any, other: Any) -> bool:
    left, right = weights(one), weights(other)
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


@pytest.mark.parametrize("name", ["feature+correlation+prototypes", "advbct", "unibct", "dual-tuning", "lce"])
def test_a_shared_first_version_changes_no_bit(
    part: Callable[[str], ModuleType], small: Any, tmp_path: Path, name: str
) -> None:
    training, recipes = part("training"), part("recipes")
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


def test_methods_that_keep_something_of_a_task_learn_the_first_one_themselves(
    part: Callable[[str], ModuleType], small: Any
) -> None:
    training, recipes = part("training"), part("recipes")
    protocol = small["glyphs"]
    data = protocol.load()
    keys = {
        method.name: training.shared_key(recipes.build(method, protocol, 0, classes=16)[1], data)
        for method in recipes.find_methods(["finetune", "independent", "fecd", "cl2r", "simplex-hoc"])
    }
    assert keys["fecd"] is keys["cl2r"] is keys["simplex-hoc"] is None
    assert keys["finetune"] == keys["independent"] is not None
    other_seed = recipes.build(recipes.find_methods(["finetune"])[0], protocol, 1)[1]
    assert training.shared_key(other_seed, data) != keys["finetune"]


def test_a_wide_upgrade_starts_from_the_narrow_first_version(
    part: Callable[[str], ModuleType], small: Any
) -> None:
    training, recipes = part("training"), part("recipes")
    protocol = small["omniglot-upgrade-extended-class-wide"]
    data = protocol.load()
    (method,) = recipes.find_methods(["feature"])
    experiment, first = recipes.build(method, protocol, 0)
    versions, tasks = training.learn_all(experiment, first, data)
    assert [version.encoder.config.width for version in versions] == [0.25, 0.5]
    assert set(tasks[0].classes) < set(tasks[1].classes)
    narrow = small["omniglot-upgrade-extended-class"]
    other, _ = training.learn_all(*recipes.build(method, narrow, 0), data)
    assert same_weights(versions[0], other[0])


def test_joint_training_sees_what_all_tasks_train_on_and_nothing_that_is_held_out(
    part: Callable[[str], ModuleType], small: Any
) -> None:
    from holdfast.data import build_stream

    recipes = part("recipes")
    protocol = small["glyphs"]
    data = protocol.load()
    joint, _ = recipes.build(recipes.find_methods(["joint"])[0], protocol, 4)
    stream = build_stream(protocol.experiment("x", 4, {}).stream, data.training, 4)
    together = build_stream(joint.stream, data.training, 4)[-1]
    assert np.array_equal(together.train, np.sort(np.concatenate([task.train for task in stream])))
    assert np.array_equal(together.validation, np.sort(np.concatenate([task.validation for task in stream])))


def test_every_method_is_defined_or_says_why_not(part: Callable[[str], ModuleType]) -> None:
    recipes, protocols = part("recipes"), part("protocols").all_protocols()
    undefined = set()
    for protocol in protocols.values():
        for method in recipes.METHODS:
            try:
                experiment, first = recipes.build(method, protocol, 0, classes=964)
            except ConfigError as error:
                undefined.add((protocol.name, method.name, "wider than the old one" in str(error)))
            else:
                assert experiment.learning.epochs == first.learning.epochs == protocol.plain.learning.epochs
    narrow = {name for name in protocols if not name.endswith("-wide")}
    assert undefined == {(name, "expansion", True) for name in narrow}
    wide = protocols["omniglot-upgrade-open-class-wide"]
    experiment, first = recipes.build(recipes.find_methods(["expansion"])[0], wide, 0)
    assert (first.model.dimension, experiment.model.dimension, experiment.model.width) == (128, 160, 2.0)


def test_the_default_recipe_is_what_the_experiment_file_says(part: Callable[[str], ModuleType]) -> None:
    recipes, protocols = part("recipes"), part("protocols").all_protocols()
    (method,) = recipes.find_methods(["holdfast"])
    for name in ("omniglot-5", "omniglot-10"):
        built, _ = recipes.build(method, protocols[name], 0)
        file = yaml.safe_load((EXPERIMENTS / f"{name}.yaml").read_text())
        shipped = [config.model_dump(mode="json") for config in built.regularizers]
        assert [
            {key: term[key] for key in given}
            for term, given in zip(shipped, file["regularizers"], strict=True)
        ] == (file["regularizers"])


def test_all_methods_get_the_same_number_of_trials(part: Callable[[str], ModuleType]) -> None:
    recipes = part("recipes")
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


def test_validation_classes_are_every_fifth_of_each_group_and_train_nothing(
    part: Callable[[str], ModuleType],
) -> None:
    names = [f"{group}{number}" for group in "AB" for number in range(7) for _ in range(4)]
    images = image_set(names, [name[0] for name in names], [1, 2, 3, 4] * 14)
    data = part("protocols").hold_out_classes(images, "drawer <= 1")
    assert set(data.evaluation.queries.labels) == set(data.evaluation.gallery.labels) == {"A4", "B4"}
    assert not set(data.training.labels) & {"A4", "B4"}
    assert len(data.training) == 48
    assert len(data.evaluation.queries) == 2
    by_share = part("protocols").hold_out_classes(images, 0.25)
    assert len(by_share.evaluation.queries) == 2


def test_the_best_trial_is_chosen_and_all_are_kept(
    part: Callable[[str], ModuleType], small: Any, tmp_path: Path
) -> None:
    choosing, recipes, kept = part("choosing"), part("recipes"), part("kept")
    (method,) = recipes.find_methods(["feature"])
    jobs = choosing.trial_jobs(small["choose"], [method], 3, classes=0)
    cells = kept.Cells(tmp_path)
    for job, own, cross in zip(jobs, (60, 50, 70), (20, 40, 5), strict=True):
        row = {"self_last": own, "cross": cross, "ac": 0.5}
        cells.keep(job.name, {"id": job.id, "rows": {"": row}}, {})
    file = tmp_path / "chosen.json"
    chosen = choosing.choose(cells, jobs, [method], 3, file)["feature"]
    assert chosen["score"] == 45
    assert chosen["terms"] == [{"kind": "feature-distillation", "weight": 10.0}]
    assert [trial["score"] for trial in chosen["trials"]] == [40, 45, 37.5]
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


@pytest.fixture
def rotated(part: Callable[[str], ModuleType]) -> tuple[list[Any], list[Task], Datasets]:
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
    tasks = [Task(index, str(index), train, validation, tuple(set(labels))) for index in range(2)]

    def version(frame: np.ndarray) -> Any:
        def embed(pixels: np.ndarray) -> np.ndarray:
            return np.ascontiguousarray(seen[pixels.reshape(-1)] @ frame)

        embedded = Embedded(asked @ frame, held @ frame, seen[validation] @ frame)
        return part("training").Version(SimpleNamespace(embed=embed), embedded, 1.0, 10)

    return [version(np.eye(8, dtype=np.float32)), version(turn)], tasks, data


def test_every_adapter_finds_a_planted_rotation(
    part: Callable[[str], ModuleType], rotated: tuple[list[Any], list[Task], Datasets]
) -> None:
    versions, tasks, data = rotated
    record, bits = part("measuring").measure(versions, tasks, data, part("variants").VARIANTS, 0)
    rows = record["rows"]
    own = rows[""]["self_first"]
    assert own > 60
    assert rows[""]["cross"] < own - 20
    assert rows[""]["self_last"] == own
    assert len(rows) == 8
    for name in ("rotation", "rotation+slerp", "linear", "entries-forward", "low-rank-affine"):
        assert rows[name]["cross"] == pytest.approx(own, abs=1.5), name
        assert rows[name]["mixed"] > rows[""]["mixed"], name
    for name in ("residual-mlp", "lambda-orthogonal"):
        assert rows[name]["cross"] > rows[""]["cross"] + 15, name
    unpack = part("kept").unpack
    hits = unpack(bits["hits/rotation"], 72)
    assert 100 * hits[1, 0].mean() == pytest.approx(rows["rotation"]["cross"])
    assert not hits[0, 1].any()
    # Leave-one-out on the held-out images, the same in any frame.
    assert rows[""]["forgetting"] == 0
    assert unpack(bits["closed"], len(bits["closed_tasks"])).shape == (2, 96)


def test_the_default_recipe_counts_with_the_adapter_that_it_ships(
    part: Callable[[str], ModuleType], rotated: tuple[list[Any], list[Task], Datasets]
) -> None:
    versions, tasks, data = rotated
    shipped = part("variants").Variant("adapter", "", {"kind": "rotation"})
    record, bits = part("measuring").measure(versions, tasks, data, [shipped], 0)
    found, swapped = part("work")._as_shipped(record, bits)
    assert set(found["rows"]) == {"", "without-adapter"}
    assert found["rows"][""]["cross"] > found["rows"]["without-adapter"]["cross"] + 20
    assert found["rows"][""]["forgetting"] == 0
    assert np.array_equal(swapped["hits"], bits["hits/adapter"])
    assert np.array_equal(swapped["mixed/without-adapter"], bits["mixed"])
    assert np.array_equal(swapped["closed"], bits["closed"])


def test_a_recipe_with_an_adapter_is_measured_with_it(
    part: Callable[[str], ModuleType], small: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipes, work = part("recipes"), part("work")
    shipped = {"regularizers": [], "adapter": {"kind": "rotation"}}
    monkeypatch.setattr(recipes, "default_recipe", lambda protocol: shipped)
    (method,) = recipes.find_methods(["holdfast"])
    with_it = work.make_job(small["glyphs"], method, 0, classes=16)
    assert [variant.adapter["kind"] for variant in with_it.variants] == ["rotation"]
    monkeypatch.setattr(recipes, "default_recipe", lambda protocol: {"regularizers": []})
    without = work.make_job(small["glyphs"], method, 0, classes=16)
    assert without.variants == ()
    assert without.id != with_it.id


def test_without_adapters_partitions_are_one_mixed_gallery(part: Callable[[str], ModuleType]) -> None:
    generator = np.random.default_rng(1)
    queries, labels = random_units(generator, 40, 6), np.arange(40) % 8
    galleries, holds = [random_units(generator, 60, 6) for _ in range(3)], np.arange(60) % 8
    mixed, _ = mix(iter(galleries), holds, 3, seed=5)
    expected = score(queries, labels, mixed, holds).outcome().hits
    found = part("measuring").search_mixed(
        ((queries, gallery) for gallery in galleries), labels, holds, 3, seed=5
    )
    assert np.array_equal(found, expected)


def test_a_wider_query_meets_older_entries_with_its_first_dimensions(
    part: Callable[[str], ModuleType],
) -> None:
    queries, entries = part("variants").same_width(
        np.array([[0.6, 0.0, 0.8]], np.float32), np.eye(2, dtype=np.float32)
    )
    assert np.allclose(queries, [[1, 0]])
    assert np.array_equal(entries, np.eye(2))
