"""The benchmark of fine-tuned trunks: what ships is what is measured, and the sample is not searched."""

import json
from pathlib import Path

import pytest

from experiments.benchmarks.harness.forking import run_forked
from experiments.benchmarks.harness.places import EXPERIMENTS
from experiments.benchmarks.methods.recipes import METHODS
from experiments.benchmarks.pretrained.protocols import tuned_protocols
from holdfast.config import load_experiment


def test_all_but_trunk_and_images_is_what_the_shipped_experiment_gets(tmp_path: Path) -> None:
    shipped = load_experiment(EXPERIMENTS / "grocery-tuned.yaml")
    (holdfast,) = (method for method in METHODS if method.name == "holdfast")
    for protocol in tuned_protocols(tmp_path).values():
        job = protocol.job(holdfast, seed=3)
        assert job.experiment.regularizers == shipped.regularizers
        assert job.experiment.adapter == shipped.adapter
        assert job.experiment.model.head == shipped.model.head
        kept = {"augment", "precision"}
        assert job.experiment.learning.model_dump(exclude=kept) == shipped.learning.model_dump(exclude=kept)
        assert shipped.sample is not None
        assert protocol.sample == shipped.sample.size
        elsewhere = tuned_protocols(tmp_path / "elsewhere")[protocol.name]
        assert elsewhere.job(holdfast, seed=3).id == job.id
        assert protocol.job(holdfast, seed=4).id != job.id


@pytest.mark.long
def test_finished_cells_stay_and_the_report_has_every_row(tmp_path: Path) -> None:
    given = ["--quick", "--results", str(tmp_path), "--seeds", "1", "--cores", "0", "--only", "grocery-tuned"]
    environment = {"HOLDFAST_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}

    def call() -> str:
        code, _, said = run_forked("experiments.benchmarks.pretrained", given, environment, 600)
        assert code == 0, said
        return said

    assert "0 of 2 cells are there" in call()
    record = json.loads((tmp_path / "cells" / "grocery-tuned" / "holdfast" / "0.json").read_text())
    assert set(record["rows"]) == {"", "without-adapter", "cascade-10", "cascade-50"}
    page = (tmp_path / "results.md").read_text()
    assert "**Holdfast's default recipe**" in page
    assert "| holdfast \\| cascade 10 |" in page
    assert (tmp_path / "images" / "results" / "grocery-tuned-plane.svg").is_file()
    assert "2 of 2 cells are there; 0 to measure" in call()
