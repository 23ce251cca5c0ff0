"""The views of the second quickstart are the same every time, and are views of their region."""

import importlib.util
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

FOLDER = Path(__file__).parents[2] / "experiments"


@pytest.fixture
def photographs(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location("photographs", FOLDER / "photographs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("adopt_lite", None)


def test_views_of_all_regions(
    photographs: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photographs, "VIEWS", 2)
    monkeypatch.setattr(photographs, "LEARNED", 1)
    colours = np.random.default_rng(0).integers(0, 255, (3, 3, 3), np.uint8)
    for name in photographs.PHOTOGRAPHS:
        Image.fromarray(colours.repeat(60, axis=0).repeat(60, axis=1)).save(tmp_path / name)
    photographs.write_views(tmp_path, tmp_path / "views.parquet")
    table = pq.read_table(tmp_path / "views.parquet")
    assert len(table) == 15 * 9 * 2
    assert {split: table["split"].to_pylist().count(split) for split in ("learned", "searched")} == {
        "learned": 135,
        "searched": 135,
    }
    photographs.write_views(tmp_path, tmp_path / "again.parquet")
    assert pq.read_table(tmp_path / "again.parquet").equals(table)
    with Image.open(io.BytesIO(table["image"][0].as_py())) as seen:
        assert seen.size == (photographs.SIZE, photographs.SIZE)
