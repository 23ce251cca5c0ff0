"""Shared by all tests: no deadlines on busy machines, and the real data where it lies at hand."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("holdfast", deadline=None)
settings.load_profile("holdfast")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real data sets; the test skips where they are missing."""
    default = Path(__file__).parents[1] / ".." / "shared" / "data"
    folder = Path(os.environ.get("HOLDFAST_DATA", default)).resolve()
    if not (folder / "omniglot.parquet").is_file():
        pytest.skip(f"no real data in {folder}: set HOLDFAST_DATA to a folder with omniglot.parquet")
    return folder
