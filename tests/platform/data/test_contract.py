"""The built-in sources keep the contract."""

from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.testing import SourceContract


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
