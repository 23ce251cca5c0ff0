"""The benchmark of the source papers: kept activations are the network's own, claims have verdicts."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from experiments.benchmarks.harness.cells import Cells, Name
from experiments.benchmarks.harness.forking import run_forked
from experiments.benchmarks.papers import claims, estimates, protocols, sets
from experiments.benchmarks.papers.activations import keep
from experiments.benchmarks.papers.choosing import nearest_of_best
from experiments.benchmarks.papers.measuring import measure_forgetting
from experiments.benchmarks.papers.tail import TailTrunk
from holdfast.data import Evaluation, ImageSet, Task
from holdfast.learning import Datasets
from holdfast.regularizers.literature.feature_estimation import FeatureEstimationConfig

SIDE = 64 // 32


def images(count: int, classes: int, size: int = 64, seed: int = 0) -> ImageSet:
    generator = np.random.default_rng(seed)
    return ImageSet(
        images=generator.integers(0, 256, (count, 3, size, size), dtype=np.uint8),
        labels=np.array([f"c{number % classes}" for number in range(count)]),
        groups=np.full(count, ""),
        sample_ids=np.array([f"{seed}-{number}" for number in range(count)]),
        columns={},
        fingerprint=f"made {seed}",
    )


def test_the_tail_over_kept_activations_is_the_whole_network(tmp_path: Path) -> None:
    given = images(12, 3)
    lowers = protocols.lowers("grocery", tmp_path, quick=True)
    kept, sides = keep(given, lowers, tmp_path / "kept")
    assert sides == [SIDE, SIDE]
    assert kept.shape == (12, 1, protocols.kept_side(SIDE), protocols.kept_side(SIDE))
    for lower in lowers:
        start = protocols.start_of(lower.name, SIDE)
        config = TailTrunk(
            kind=protocols.TAIL, name=lower.name, side=SIDE, start=start, weights=str(lower.tail)
        )
        tail = config.build(1, kept.shape[-1]).eval()
        pixels = (torch.tensor(given.images, dtype=torch.float32) - 127) / 128
        with torch.inference_mode():
            whole, made = lower.build()(pixels), tail(torch.tensor(kept).float())
        torch.testing.assert_close(made, whole, rtol=0, atol=0.02 * float(whole.abs().max()))
        assert float((whole - made).norm() / whole.norm()) < 0.02
    again, _ = keep(given, lowers, tmp_path / "kept")
    np.testing.assert_array_equal(again, kept)


def test_weights_are_chosen_on_training_images_alone_each_in_one_part() -> None:
    pool, other = images(60, 3, 8), images(12, 3, 8, seed=1)
    source = sets.photographs(quick=True)["caltech"]
    data = sets.closed(Datasets(pool, Evaluation(other, other)), source)
    chosen = sets.choice(data)
    parts = [chosen.training, chosen.evaluation.queries, chosen.evaluation.gallery]
    ids = [each for part in parts for each in part.sample_ids.tolist()]
    assert len(ids) == len(set(ids))
    assert set(ids) == set(data.training.sample_ids.tolist())
    held_out = {*data.evaluation.queries.sample_ids.tolist(), *data.evaluation.gallery.sample_ids.tolist()}
    assert held_out
    assert not held_out & set(ids)


def test_so_many_labels_are_wrong_and_no_pixel_is() -> None:
    data = Datasets(images(50, 5, 8), Evaluation(images(5, 5, 8, 1), images(5, 5, 8, 2)))
    wrong = sets.with_wrong_labels(data, 0.2)
    assert int((wrong.training.labels != data.training.labels).sum()) == 10
    np.testing.assert_array_equal(wrong.training.images, data.training.images)
    assert wrong.training.fingerprint != data.training.fingerprint
    assert wrong.evaluation is data.evaluation


def test_what_was_forgotten_is_what_its_own_version_found_and_the_last_does_not() -> None:
    def embedded(angles: list[float]) -> np.ndarray:
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    labels = ["a", "b", "c", "d"]
    queries, gallery = (images(4, 4, 8, seed) for seed in (0, 1))
    queries, gallery = (ImageSet(**{**vars(each), "labels": np.array(labels)}) for each in (queries, gallery))
    tasks = [task(0, ("a", "b")), task(1, ("c", "d"))]
    entries = embedded([0.0, 1.0, 2.0, 3.0])
    first = version(embedded([0.1, 1.1, 2.1, 2.9]), entries)
    # It no longer tells b from a, and confuses c with a class of the other task.
    last = version(embedded([0.1, 0.1, 0.9, 2.9]), entries)
    found = measure_forgetting([first, last], Evaluation(queries, gallery), tasks)
    assert found["old"].tolist() == [1, 0]
    assert found["forgotten"].tolist() == [0, 1]
    assert found["new"].tolist() == [1, 1]
    assert found["self"].tolist() == [1, 0, 0, 1]


def task(index: int, classes: tuple[str, ...]) -> Task:
    none = np.zeros(0, dtype=np.int64)
    return Task(index, str(index), none, none, none, classes)


def version(queries: np.ndarray, gallery: np.ndarray) -> object:
    return SimpleNamespace(embedded=SimpleNamespace(queries=queries, gallery=gallery))


@pytest.mark.parametrize(
    ("better", "worse", "margin", "verdict"),
    [
        (0.9, 0.2, 0.0, "held"),
        (0.2, 0.9, 0.0, "violated"),
        (0.5, 0.5, 0.0, "undecided"),
        (0.5, 0.5, 99.0, "held"),
    ],
)
def test_verdicts_follow_the_paired_interval(
    tmp_path: Path, better: float, worse: float, margin: float, verdict: str
) -> None:
    cells, place = Cells(tmp_path), np.arange(400) % 10
    for row, hits in (("one", place < 10 * better), ("other", place[::-1] < 10 * worse)):
        for seed in range(3):
            cells.keep(Name("b", row, seed), {"id": "x"}, {"old": hits.astype(np.int8)})
    claim = claims.Claim("paper", "text", "b", ("one", "old"), ("other", "old"), margin)
    found = claims.judge(Cells(tmp_path), claim)
    assert (found.verdict, found.seeds) == (verdict, 3)
    lacking = claims.Claim("paper", "text", "b", ("one", "old"), ("nobody", "old"))
    assert claims.judge(cells, lacking).verdict == claims.NOT_MEASURED


@pytest.mark.long
def test_all_kinds_of_claims_are_measured_and_what_is_finished_stays(tmp_path: Path) -> None:
    only = ["forgetting-grocery", "upgrade-caltech-open-class-wrong", "dual-caltech-softmax-lite2"]
    given = ["--quick", "--results", str(tmp_path), "--seeds", "1", "--cores", "0", "--trials", "2"]
    given += ["--rows", "finetune,fecd-normalized,unibct,prototypes,dual-tuning,no-source,robust-source"]
    given += ["--only", *only, "robust-grocery"]

    def call(*more: str) -> str:
        environment = {"HOLDFAST_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
        code, _, said = run_forked("experiments.benchmarks.papers", [*given, *more], environment, 600)
        assert code == 0, said
        return said

    assert "0 of 2 cells are there" in call("--choose")
    chosen = json.loads((tmp_path / "chosen.json").read_text())["forgetting-grocery"]["fecd-normalized"]
    assert len(chosen["scores"]) == 2
    weights = {term["weight"] for term in chosen["terms"]}
    assert len(weights) == 1
    assert weights <= {0.16, 1600.0}  # four orders of magnitude apart
    assert "0 of 7 cells are there" in call()
    cell = tmp_path / "cells" / "forgetting-grocery" / "fecd-normalized" / "0.json"
    assert json.loads(cell.read_text())["terms"] == chosen["terms"]
    # The first version is held to nothing, also not to the pretrained network: all rows share it.
    firsts = [
        Cells(tmp_path).outcomes(Name("forgetting-grocery", row, 0))["old_self"].tolist()
        for row in ("finetune", "fecd-normalized")
    ]
    assert firsts[0] == firsts[1]
    # Of three streams, and one more to choose; and two sources.
    assert len(list((tmp_path / "first").glob("*.pt"))) == 6
    report = (tmp_path / "report.md").read_text()
    assert "| FECD (Chen et al. 2022) | old classes: fecd-normalized above fine-tuning |" in report
    assert "| UniBCT (Zhang et al. 2022) | cross-test: refined prototypes above mean prototypes |" in report
    assert "| Robust transfer (Yang et al. 2023) | a robust source above no source |" in report
    assert "7 of 7 cells are there; 0 to measure" in call()


def test_estimates_are_nearer_where_changes_are_the_same_for_all_images() -> None:
    generator = np.random.default_rng(0)
    features = generator.uniform(0.5, 1.0, (80, 6)).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    # Each version has stretched its dimensions by the same factors, which ranges can tell exactly.
    factors = np.array([1.5, 1.2, 1.0, 1.0, 0.8, 0.6], np.float32)
    versions = [
        SimpleNamespace(encoder=SimpleNamespace(embed=lambda images, n=number: features[images] * factors**n))
        for number in range(4)
    ]
    everything = np.arange(80)
    tasks = [Task(number, "", everything, everything[:0], everything[:0], ("a",)) for number in range(4)]
    training = SimpleNamespace(images=everything)
    found = estimates.nearness(versions, tasks, training, FeatureEstimationConfig())  # type: ignore[arg-type]
    assert found.of_batch.shape == (3 * estimates.BATCHES, 3)
    assert (found.of_batch[:, 1] < found.of_batch[:, 0]).all()
    assert found.line("made").endswith("| 100 % of 60 |")


@pytest.mark.parametrize(
    ("module", "given", "told"),
    [
        ("estimates", ["--source", "grocery"], "| Grocery in six tasks |"),
        ("untuned", [], "| Caltech, lite0 |"),
    ],
)
def test_reasons_are_told_in_the_quick_form(tmp_path: Path, module: str, given: list[str], told: str) -> None:
    environment = {"HOLDFAST_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    arguments = ["--quick", "--results", str(tmp_path), *given]
    code, out, said = run_forked(f"experiments.benchmarks.papers.{module}", arguments, environment, 600)
    assert code == 0, said
    assert told in out


@pytest.mark.parametrize(
    ("scores", "place"),
    [
        ([70.0, 80.0, 86.5, 86.8, 86.9], 2),  # as good as the best, and the paper's
        ([70.0, 86.0, 86.2, 86.8, 80.0], 3),
        ([None, 86.0, None, 86.2, 80.0], 3),  # equally far: the better one
        ([90.0, None, 86.0, 80.0, 70.0], 0),
    ],
)
def test_of_weights_that_are_as_good_the_nearest_to_the_papers(
    scores: list[float | None], place: int
) -> None:
    assert nearest_of_best(scores) == place
