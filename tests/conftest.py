"""Shared by all tests: no deadlines on busy machines, and the real data where it lies at hand."""

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

settings.register_profile("holdfast", deadline=None)
settings.load_profile("holdfast")

BENCHMARKS = Path(__file__).parents[1] / "experiments" / "benchmarks"


@pytest.fixture
def load_module(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Imports a file of the benchmarks as its neighbours do, by its bare name."""

    def load(name: str) -> ModuleType:
        monkeypatch.syspath_prepend(str(BENCHMARKS))
        return importlib.import_module(name)

    return load


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real data sets; the test skips where they are missing."""
    default = Path(__file__).parents[1] / ".." / "shared" / "data"
    folder = Path(os.environ.get("HOLDFAST_DATA", default)).resolve()
    if not (folder / "omniglot.parquet").is_file():
        pytest.skip(f"no real data in {folder}: set HOLDFAST_DATA to a folder with omniglot.parquet")
    return folder
