"""The built-in sources keep the contract."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from holdfast.testing import SourceContract, VectorSourceContract


class TestGlyphs(SourceContract):
    @pytest.fixture
    def uri(self) -> str:
        return "glyphs:?classes=36&instances=2"


class TestParquet(SourceContract):
    @pytest.fixture
    def uri(self, make_parquet: Callable[..., Path]) -> str:
        return f"parquet:{make_parquet(height=list(range(20)))}"


class TestFolder(SourceContract):
    @pytest.fixture
    def uri(self, tmp_path: Path, make_png: Callable[..., bytes]) -> str:
        for number in range(12):
            file = tmp_path / "images" / f"split{number % 2}" / f"class{number % 3}" / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(make_png(number))
        return f"folder:{tmp_path / 'images'}"


class TestVectorTable(VectorSourceContract):
    @pytest.fixture
    def uri(self, make_vectors: Callable[..., Path]) -> str:
        return f"vectors:{make_vectors(height=list(range(20)))}"


class TestVectorArray(VectorSourceContract):
    @pytest.fixture
    def uri(self, tmp_path: Path) -> str:
        np.save(tmp_path / "vectors.npy", np.random.default_rng(0).normal(size=(12, 4)))
        rows = [f"row{number},class{number % 3},part{number % 2}\n" for number in range(12)]
        (tmp_path / "rows.csv").write_text("id,label,split\n" + "".join(rows))
        return f"vectors:{tmp_path}/vectors.npy?rows={tmp_path}/rows.csv"
