"""What sweeps are worth: the figures by hand, and what the benchmark asks for."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from experiments.benchmarks.tuning import sweeps
from experiments.benchmarks.tuning.__main__ import main
from experiments.benchmarks.tuning.figures import areas, paired, reaches, trial_cost
from holdfast.config import load_experiment
from holdfast.tuning import TuningConfig


def trial(own: float, cross: float, images: int = 100, state: str = "done") -> dict[str, Any]:
    objective = (own + cross) / 2
    return {
        "self": own,
        "cross": cross,
        "objective": objective,
        "images": images,
        "state": state,
        "seconds": 2.0,
    }


def test_areas_stand_on_the_worst_of_both_sweeps() -> None:
    assert areas([trial(50, 40), trial(60, 50)], [trial(55, 45)]) == (100, 25)


def test_the_compute_of_a_search_counts_what_was_stopped_early() -> None:
    grid = [trial(80, 80) for _ in range(7)] + [trial(90, 90)]
    search = [trial(70, 70), trial(95, 95, 20, "stopped"), trial(88, 88, 80), trial(90, 90)]
    reached, by_a_quarter = reaches(grid, search)
    assert reached == pytest.approx(300 / 800)
    assert by_a_quarter == pytest.approx(88 / 90)
    assert reaches(grid, search[:2])[0] is None


def test_a_trial_costs_what_more_trials_took_without_learning() -> None:
    few = {"trials": [trial(1, 1)] * 2, "seconds": 20.0}
    many = {"trials": [trial(1, 1)] * 6, "seconds": 32.0}
    assert trial_cost(few, many) == pytest.approx(1.0)


def test_an_interval_over_seeds_is_wider_for_fewer() -> None:
    wide, narrow = paired([1.0, 2.0]), paired([1.0, 2.0] * 5)
    assert wide.mean == narrow.mean == 1.5
    assert wide.low < 0 < narrow.low


@pytest.mark.parametrize("quick", [True, False])
def test_every_sweep_is_one_of_its_experiment_and_the_page_has_all(
    quick: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, real_data: Path
) -> None:
    """Ray's part is tested where sweeps are: here its answer is made up."""
    asked: list[TuningConfig] = []

    def holdfast(verb: str, file: object, *arguments: object) -> str:
        if verb == "adopt":
            Path(str(arguments[-1])).mkdir(parents=True)
            return ""
        changes = [str(value) for name, value in pairwise(arguments) if name == "--set"]
        tuning = load_experiment(Path(str(file)), changes).tuning
        assert tuning is not None
        asked.append(tuning)
        best = 80.0 if tuning.search == "random" else 90.0
        rows = [trial(best - number % 3, best + number % 2) for number in range(tuning.trials)]
        return json.dumps({"trials": [{**row, "trial": number} for number, row in enumerate(rows)]})

    monkeypatch.setattr(sweeps, "holdfast", holdfast)
    arguments = [*(["--quick"] if quick else []), "--results", str(tmp_path), "--seeds", "2"]
    assert main(arguments) == 0
    assert {(each.search, each.objective) for each in asked} == {
        *(("tpe", "front"), ("random", "front"), ("grid", "mean"), ("tpe", "mean"), ("random", "mean"))
    }
    page = (tmp_path / "results.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert [row.split()[1] for row in rows] == ["figure", "hypervolume", "share", "TPE's", "seconds"]
    done = len(asked)
    assert main(arguments) == 0
    assert (tmp_path / "results.md").read_text() == page
    assert len(asked) == done
