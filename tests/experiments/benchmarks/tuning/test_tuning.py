"""What sweeps are worth: the figures by hand, and the benchmark in its quick form."""

import io
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from experiments.benchmarks.tuning import sweeps
from experiments.benchmarks.tuning.__main__ import main
from experiments.benchmarks.tuning.figures import areas, paired, reaches, trial_cost
from holdfast import cli


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


def test_the_quick_form_measures_goes_on_and_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def holdfast(*arguments: object) -> str:
        with redirect_stdout(io.StringIO()) as said, pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        assert not ended.value.code, arguments
        return said.getvalue()

    monkeypatch.setattr(sweeps, "holdfast", holdfast)
    arguments = ["--quick", "--results", str(tmp_path)]
    assert main([*arguments, "--only", "fixed"]) == 0
    page = (tmp_path / "results.md").read_text()
    assert "| seconds of a trial over kept features" in page
    monkeypatch.setattr(sweeps, "holdfast", None)
    assert main([*arguments, "--only", "fixed"]) == 0
    assert (tmp_path / "results.md").read_text() == page
