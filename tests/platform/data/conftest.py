import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from holdfast.data import ImageSet
from holdfast.models import Preprocessing

MakeParquet = Callable[..., Path]
MakeImages = Callable[..., ImageSet]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test decodes into a folder of its own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("HOLDFAST_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = Path(os.environ.get("HOLDFAST_DATA") or Path(__file__).parents[4] / "shared" / "data")
    if not (folder / "omniglot.parquet").exists():
        pytest.skip(f"no test data in {folder}; set HOLDFAST_DATA")
    return folder


@pytest.fixture(scope="session")
def decoder() -> Preprocessing:
    return Preprocessing(size=8)


def png(value: int, side: int = 8) -> bytes:
    target = io.BytesIO()
    Image.fromarray(np.full((side, side), value, dtype=np.uint8)).save(target, "PNG")
    return target.getvalue()


@pytest.fixture(scope="session")
def make_png() -> Callable[..., bytes]:
    return png


@pytest.fixture
def make_parquet(tmp_path: Path) -> MakeParquet:
    """Writes `classes` x `instances` images; image i is filled with the grey value i. Columns can be replaced
    or, with None, left out."""

    def make(
        name: str = "images.parquet", classes: int = 4, instances: int = 5, **columns: list[object] | None
    ) -> Path:
        count = classes * instances
        rows: dict[str, list[object] | None] = {
            "image": [png(number % 256) for number in range(count)],
            "label": [f"class{number // instances}" for number in range(count)],
            "split": ["train" if number // instances < classes / 2 else "test" for number in range(count)],
            "sample_id": [f"s{number // instances}_{number % instances:02d}" for number in range(count)],
            "group": [f"group{number // instances // 2}" for number in range(count)],
            **columns,
        }
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        table = {column: values for column, values in rows.items() if values is not None}
        pq.write_table(pa.table(table), path, row_group_size=7)
        return path

    return make


@pytest.fixture
def make_vectors(tmp_path: Path) -> MakeParquet:
    """Writes `classes` x `instances` vectors of dimension 8, Parquet or Arrow by the name. Columns can be
    replaced or, with None, left out."""

    def make(
        name: str = "vectors.parquet", classes: int = 4, instances: int = 5, **columns: object | None
    ) -> Path:
        count = classes * instances
        vectors = np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)
        rows: dict[str, object] = {
            "id": [f"s{number // instances}_{number % instances:02d}" for number in range(count)],
            "vector": pa.FixedSizeListArray.from_arrays(vectors.ravel(), 8),
            "label": [f"class{number // instances}" for number in range(count)],
            "split": ["train" if number // instances < classes / 2 else "test" for number in range(count)],
            **columns,
        }
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        table = pa.table({column: values for column, values in rows.items() if values is not None})
        if path.suffix == ".arrow":
            with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
                writer.write_table(table, max_chunksize=7)
        else:
            pq.write_table(table, path, row_group_size=7)
        return path

    return make


@pytest.fixture(scope="session")
def make_images() -> MakeImages:
    """An image set of the given labels (and groups), without any file."""

    def make(labels: list[str], groups: list[str] | None = None, **columns: list[object]) -> ImageSet:
        named = {
            "label": np.array(labels, dtype=np.str_),
            "group": np.array(groups or [""] * len(labels), dtype=np.str_),
            "sample_id": np.array([f"s{number}" for number in range(len(labels))], dtype=np.str_),
            **{name: np.array(values) for name, values in columns.items()},
        }
        images = np.zeros((len(labels), 1, 2, 2), dtype=np.uint8)
        return ImageSet(images, named["label"], named["group"], named["sample_id"], named, "f")

    return make
