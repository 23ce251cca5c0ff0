"""Two versions of which only vectors are known, over planted classes."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from holdfast.entries import Entries, Entry
from holdfast.models import VectorsConfig, write_description
from holdfast.store import Draft, Store, open_store


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Planted:
    """Images as two models see them: the same things, turned, in other dimensions, with other noise."""

    ids: list[str]
    labels: list[str]
    old: np.ndarray
    new: np.ndarray


@pytest.fixture
def planted() -> Callable[..., Planted]:
    def plant(count: int = 500, classes: int = 50, old_noise: float = 0.5, new_noise: float = 0.3) -> Planted:
        generator = np.random.default_rng(5)
        labels = np.arange(count) % classes
        middles = generator.normal(size=(classes, 12))[labels]
        shared = generator.normal(size=(count, 12))
        spaces = [
            unit((middles + noise * shared + noise * generator.normal(size=(count, 12))) @ mixing)
            for noise, mixing in (
                (old_noise, generator.normal(size=(12, 20))),
                (new_noise, generator.normal(size=(12, 16))),
            )
        ]
        return Planted([f"e{number}" for number in range(count)], [f"c{label}" for label in labels], *spaces)

    return plant


@pytest.fixture
def store(tmp_path: Path, migrated: Path) -> Iterator[Store]:
    """With v1 of 20 dimensions and v2 of 16, which embed nothing."""
    (tmp_path / "store").mkdir()
    shutil.copy(migrated, tmp_path / "store" / "holdfast.db")
    with open_store(tmp_path / "store") as opened:
        for name, dimension in (("first", 20), ("second", 16)):
            folder = tmp_path / name
            folder.mkdir()
            config = VectorsConfig(provider="somebody", model=name, dimension=dimension)
            write_description(folder, config, dimension)
            opened.versions.publish(Draft(name, 1, 0, None, folder, "", "", kind="foreign"))
        yield opened


@pytest.fixture
def fill(store: Store) -> Callable[[Planted], None]:
    """Make the old vectors entries of v1."""

    def upsert(planted: Planted) -> None:
        Entries(store).upsert(
            [
                Entry(identifier, "v1", vector, {"thing": label})
                for identifier, label, vector in zip(planted.ids, planted.labels, planted.old, strict=True)
            ]
        )

    return upsert


@pytest.fixture
def pairs_file(tmp_path: Path) -> Callable[[Planted], Path]:
    """The new version's vectors by the entries' ids."""

    def write(planted: Planted) -> Path:
        columns = {"id": planted.ids, "vector": list(planted.new), "thing": planted.labels}
        pq.write_table(pa.table(columns), tmp_path / "pairs.parquet")
        return tmp_path / "pairs.parquet"

    return write
