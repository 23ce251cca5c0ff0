"""The benchmark of small encoders: it runs at small sizes, and goes on where it was stopped."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from experiments.benchmarks.harness.forking import run_forked
from experiments.benchmarks.transfer import curves, measuring, works
from holdfast.models import Encoder
from holdfast.runs.distill import count_parameters

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("transfer")
    assert "12 to measure" in call(folder)
    return folder


def call(folder: Path, *arguments: str) -> str:
    given = ["--quick", "--results", str(folder), *arguments]
    environment = {"HOLDFAST_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    code, _, said = run_forked("experiments.benchmarks.transfer", given, environment, 600)
    assert code == 0, said
    return said


def test_the_page_has_every_method_and_compares_the_sources(results: Path) -> None:
    page = (results / "report.md").read_text()
    for method in ("no transfer", "standard", "noise", "robust", "fine-tuning"):
        assert f"| {method} | 1 |" in page
    comparison = page.split("A robust source less another")[1].split("| method |")[0]
    assert "| standard |" in comparison
    assert "| noise |" in comparison
    assert ": undecided |" in comparison or ": held |" in comparison or ": violated |" in comparison
    page = (results / "results.md").read_text()
    assert "| standard | own gallery | " in page
    (link,) = [line.split("](")[1].rstrip(")") for line in page.splitlines() if line.startswith("![")]
    assert (results / link).is_file()


def test_what_is_finished_is_not_measured_again_and_what_is_missing_is(results: Path) -> None:
    assert "12 of 12 cells are there; 0 to measure" in call(results)
    cells = sorted((results / "cells").glob("*/*/*.json"))
    assert len(cells) == 12
    before = json.loads(cells[0].read_text())["recall_at_1"]
    cells[0].unlink()
    assert "12 of 12" in call(results)  # the Parquet file has it too
    for gathered in results.glob("*.parquet"):
        gathered.unlink()
    assert "11 of 12 cells are there; 1 to measure" in call(results)
    assert json.loads(cells[0].read_text())["recall_at_1"] == before


@pytest.mark.parametrize("protocol", ["glyphs", "omniglot"])
def test_targets_have_less_than_a_tenth_of_the_source_and_read_fewer_pixels(
    protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    bench = measuring.Bench(tmp_path, quick=False)
    imitated = [work for work in works.plan([protocol], 1, False) if work.method in works.SOURCES]
    assert imitated
    for work in imitated:
        source, target = bench.source_experiment(work).model, bench.target_experiment(work).model
        assert count_parameters(Encoder(target)) < 0.1 * count_parameters(Encoder(source))
        assert target.preprocessing.size == source.preprocessing.size // 2


@pytest.mark.parametrize("protocol", ["glyphs", "omniglot"])
def test_what_suits_a_small_encoder_of_another_kind_is_not_taken_over(
    protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    bench = measuring.Bench(tmp_path, quick=False)
    work = next(iter(works.plan([protocol], 1, False)))
    for experiment in (bench.source_experiment(work), bench.target_experiment(work)):
        assert experiment.learning.precision == "auto"
        optimizer = experiment.learning.optimizer
        assert (optimizer.learning_rate, optimizer.weight_decay) == (0.01, 1e-4)


def test_curves_are_drawn_before_any_attacked_source_is_there() -> None:
    standard = works.Work("omniglot", "standard", "edges", 0.1, 0.0, 0)
    found = {0: np.array([100.0, 0.0, 100.0])}
    figure = curves.draw_curves({standard: {"source": found, "own": found}}, "Omniglot")
    assert [len(axes.lines) for axes in figure.axes] == [1, 1, 1]
    plt.close(figure)


def test_small_networks_are_small_and_queries_are_shared(results: Path) -> None:
    records = [json.loads(file.read_text()) for file in (results / "cells").glob("*/*/*.json")]
    parameters = {record["method"]: record["parameters"] for record in records}
    assert parameters["robust"] == parameters["no transfer"] < parameters["fine-tuning"]
    assert all(
        ("source" in record["recall_at_1"]) == (record["method"] != "no transfer") for record in records
    )
