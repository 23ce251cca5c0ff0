"""A served gallery in good health, to be made ill."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.doctor import Examination, Finding, Patient, examine
from holdfast.entries import Entries, Entry
from holdfast.testing import tiny_store, unit_vectors

Look = Callable[..., dict[str, Finding]]


@pytest.fixture(scope="session")
def well(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """v1 filled a gallery of five entries, v2 is live, v3 waits."""
    folder = tmp_path_factory.mktemp("well") / "store"
    with tiny_store(folder, versions=3) as store:
        rows = unit_vectors(0, 5, 8)
        Entries(store).upsert([Entry(f"e{n}", "v1", row, {}) for n, row in enumerate(rows)])
        store.traffic.promote("v2")
    return folder


@pytest.fixture
def place(well: Path, tmp_path: Path) -> Path:
    """A copy of the folder."""
    return Path(shutil.copytree(well, tmp_path / "store"))


@pytest.fixture
def examined(place: Path) -> Callable[..., Examination]:
    """Examine it, with a server where nobody listens."""

    def call(where: str | Path = place, **environment: str) -> Examination:
        return examine(Patient(str(where), None, "http://127.0.0.1:9", environment), seconds=30)

    return call


@pytest.fixture
def look(examined: Callable[..., Examination]) -> Look:
    """The findings by their names."""
    return lambda *where, **environment: {
        found.name: found for found in examined(*where, **environment).findings
    }
