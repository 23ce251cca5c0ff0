"""The built-in indexes keep the contract."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.index import Index, IndexConfig, LocalIndex, ReadWriteLock
from holdfast.testing import IndexContract, Opened

_numbers = itertools.count()


class TestExact(IndexContract):
    @pytest.fixture
    def opened(self) -> Opened:
        return Opened(LocalIndex(), LocalIndex)


class TestQuantized(IndexContract):
    @pytest.fixture
    def opened(self, tmp_path: Path) -> Opened:
        config = IndexConfig(kind="quantized", threshold=1, target_recall=0.98)

        def settle(index: Index) -> None:
            while (work := index.overdue()) is not None:
                work(ReadWriteLock())

        return Opened(LocalIndex(config, tmp_path), lambda: LocalIndex(config, tmp_path), settle)


class TestMilvus(IndexContract):
    @pytest.fixture(scope="class")
    def file(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
        """One server for all tests, other collections for each of them."""
        pytest.importorskip("pymilvus", reason="pip install 'holdfast[milvus]'")
        manager = pytest.importorskip("milvus_lite.server_manager", reason="pip install 'holdfast[milvus]'")
        made = tmp_path_factory.mktemp("indexes") / "milvus.db"
        yield made
        if made.exists():
            manager.server_manager_instance.release_server(str(made))

    @pytest.fixture
    def opened(self, file: Path) -> Opened:
        from holdfast.index import MilvusConfig, MilvusIndex

        config = MilvusConfig(uri=str(file), name=f"gallery{next(_numbers)}")

        def settle(index: Index) -> None:
            # milvus-lite builds its index when a segment is flushed.
            assert isinstance(index, MilvusIndex)
            for version in index.versions():
                index._milvus._client.flush(f"{config.name}_{version}")

        return Opened(MilvusIndex(config), lambda: MilvusIndex(config), settle)
