"""Finished cells survive an interruption, and nothing else does."""

from pathlib import Path
from typing import Any

import pytest

from experiments.benchmarks.harness.cells import Cells

CONTEXT = {"machine": {"processor": "one"}, "code": "abc", "quick": True}


def refuse() -> dict[str, Any]:
    raise AssertionError("measured again")


def test_a_finished_cell_is_not_measured_again(tmp_path: Path) -> None:
    file = tmp_path / "one.jsonl"
    assert Cells(file, CONTEXT)("a", lambda: {"seconds": 1.5}) == {"seconds": 1.5}
    again = Cells(file, CONTEXT)
    assert "a" in again
    assert again("a", refuse) == {"seconds": 1.5}
    again("b", lambda: {"seconds": 2})
    assert len(Cells(file, CONTEXT)) == 2


@pytest.mark.parametrize("change", [{"machine": {"processor": "two"}}, {"code": "abd"}, {"quick": False}])
def test_cells_of_another_context_are_forgotten(tmp_path: Path, change: dict[str, Any]) -> None:
    Cells(tmp_path / "one.jsonl", CONTEXT)("a", lambda: {"seconds": 1})
    assert len(Cells(tmp_path / "one.jsonl", {**CONTEXT, **change})) == 0


def test_fresh_forgets(tmp_path: Path) -> None:
    Cells(tmp_path / "one.jsonl", CONTEXT)("a", lambda: {"seconds": 1})
    assert len(Cells(tmp_path / "one.jsonl", CONTEXT, fresh=True)) == 0
    assert len(Cells(tmp_path / "one.jsonl", CONTEXT)) == 0


@pytest.mark.parametrize("kept", [1, 5, 30])
def test_a_line_that_was_being_written_is_measured_again(tmp_path: Path, kept: int) -> None:
    file = tmp_path / "one.jsonl"
    cells = Cells(file, CONTEXT)
    cells("a", lambda: {"seconds": 1})
    whole = file.read_text()
    cells("b", lambda: {"seconds": 2})
    file.write_text(file.read_text()[: len(whole) + kept])
    after = Cells(file, CONTEXT)
    assert ("a" in after, "b" in after) == (True, False)
    after("b", lambda: {"seconds": 3})
    assert Cells(file, CONTEXT)("b", refuse) == {"seconds": 3}
