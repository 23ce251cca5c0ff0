"""Measurements survive an interruption, as long as their context is the same."""

from pathlib import Path
from typing import Any

import pytest

from experiments.benchmarks.harness.cells import Cells
from experiments.benchmarks.harness.part import Part

CONTEXT = {"machine": {"processor": "one"}, "code": "abc", "quick": True}


def part(folder: Path, context: dict[str, Any] = CONTEXT) -> Part:
    return Part("one", Cells(folder), context)


def refuse() -> dict[str, Any]:
    raise AssertionError("measured again")


def test_a_finished_measurement_is_not_repeated(tmp_path: Path) -> None:
    assert part(tmp_path)("a", lambda: {"seconds": 1.5}) == {"seconds": 1.5}
    again = part(tmp_path)
    assert "a" in again
    assert again("a", refuse) == {"seconds": 1.5}
    again("b", lambda: {"seconds": 2})
    assert len(part(tmp_path)) == 2


@pytest.mark.parametrize("change", [{"machine": {"processor": "two"}}, {"code": "abd"}, {"quick": False}])
def test_in_another_context_it_is_repeated(tmp_path: Path, change: dict[str, Any]) -> None:
    part(tmp_path)("a", lambda: {"seconds": 1})
    other = part(tmp_path, {**CONTEXT, **change})
    assert len(other) == 0
    assert other("a", lambda: {"seconds": 2}) == {"seconds": 2}


def test_what_is_forgotten_is_repeated(tmp_path: Path) -> None:
    part(tmp_path)("a", lambda: {"seconds": 1})
    part(tmp_path).forget()
    assert len(part(tmp_path)) == 0
