"""Cells on disk: what is whole counts, and the file that is kept has all of them."""

from pathlib import Path

import numpy as np
import pytest

from experiments.benchmarks.harness.cells import Cells, Name, identity, kept_file
from experiments.benchmarks.harness.places import RESULTS

NAME = Name("glyphs", "feature", 0)


def test_what_is_kept_has_every_cell(tmp_path: Path) -> None:
    cells = Cells(tmp_path)
    for seed in range(2):
        cells.keep(
            Name("glyphs", "feature", seed), {"id": "a", "figure": seed}, {"hits": np.arange(3) + seed}
        )
    cells.gather()
    for file in (tmp_path / "cells").rglob("*.*"):
        file.unlink()
    again = Cells(tmp_path)
    assert [name.seed for name in again.names()] == [0, 1]
    assert again.is_done(Name("glyphs", "feature", 1), "a")
    assert np.array_equal(again.outcomes(Name("glyphs", "feature", 1))["hits"], [1, 2, 3])


def test_results_of_the_repository_are_kept_beside_their_folder(tmp_path: Path) -> None:
    assert kept_file(RESULTS / "codes") == RESULTS / "codes.parquet"
    assert kept_file(tmp_path) == tmp_path / "cells.parquet"


@pytest.mark.parametrize("ending", [".json", ".npz"])
def test_a_cell_that_was_being_written_is_measured_again(tmp_path: Path, ending: str) -> None:
    cells = Cells(tmp_path)
    cells.keep(NAME, {"id": "a"}, {})
    file = tmp_path / "cells" / "glyphs" / "feature" / f"0{ending}"
    file.rename(file.with_name(file.name + ".partial"))
    # The figures come last.
    assert Cells(tmp_path).is_done(NAME, "a") == (ending == ".npz")


def test_what_is_forgotten_is_gone(tmp_path: Path) -> None:
    cells = Cells(tmp_path)
    cells.keep(NAME, {"id": "a"}, {})
    cells.gather()
    again = Cells(tmp_path)
    again.forget([NAME])
    assert not again.names()


def test_a_cell_is_known_by_what_decides_it() -> None:
    assert identity(NAME, [1]) == identity(NAME, [1])
    assert len({identity(NAME, [1]), identity(NAME, [2]), identity(Name("glyphs", "feature", 1), [1])}) == 3
