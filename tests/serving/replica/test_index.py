"""Which index a server searches with is a setting."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from holdfast.entries import Entries, Entry
from holdfast.index import open_index
from holdfast.index.milvus import MilvusConfig
from holdfast.search import Gallery
from holdfast.store import Store
from holdfast_serving.config import ServingConfig
from holdfast_serving.writer.feeder import start_feeder
from tests.fixtures.waiting import wait_until


def _rows(count: int, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(count, 16)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def test_a_server_quantizes_when_it_is_told_to(serve_here: Callable[..., TestClient], admin_key: str) -> None:
    client = serve_here(index={"kind": "quantized"})
    client.headers["Authorization"] = f"Bearer {admin_key}"
    rows = _rows(600)
    entries = [{"id": f"e{n}", "version": "v1", "vector": row.tolist()} for n, row in enumerate(rows)]
    seq = client.put("/v1/gallery/entries", json={"entries": entries}).raise_for_status().json()["seq"]
    wait_until(lambda: client.get("/v1/gallery").json()["index"]["kind"] == "quantized")
    asked = {"vector": rows[17].tolist(), "model": "v1", "k": 3, "min_seq": seq}
    assert client.post("/v1/search", json=asked).raise_for_status().json()["hits"][0]["id"] == "e17"


@pytest.fixture
def milvus(tmp_path: Path) -> Iterator[MilvusConfig]:
    pytest.importorskip("pymilvus", reason="pip install 'holdfast[milvus]'")
    pytest.importorskip("milvus_lite", reason="pip install 'holdfast[milvus]'")
    file = str(tmp_path / "milvus.db")
    yield MilvusConfig(uri=file)
    from milvus_lite.server_manager import server_manager_instance

    server_manager_instance.release_server(file)


def test_one_process_feeds_milvus_and_the_gateways_search(store: Store, milvus: MilvusConfig) -> None:
    config = ServingConfig(store=store.where, index=milvus, follow_seconds=0.05)
    gateway = Gallery(store, open_index(store, config.index.searching()))
    feeder = start_feeder(store, config)
    assert feeder is not None
    try:
        rows = _rows(20)
        seq = Entries(store).upsert([Entry(f"e{n}", "v1", row, {}) for n, row in enumerate(rows)])
        wait_until(lambda: gateway.refresh() >= seq)
        assert gateway.search(rows[3], "v1", 1).hits[0].id == "e3"
    finally:
        feeder.close()


def test_an_index_of_its_own_needs_no_feeder(store: Store) -> None:
    assert start_feeder(store, ServingConfig(store=store.where)) is None


def test_settings_are_told_apart_by_their_kind() -> None:
    def read(index: dict[str, Any]) -> object:
        return ServingConfig.model_validate({"store": "x", "index": index}).index

    assert isinstance(read({"kind": "milvus", "uri": "http://milvus:19530"}), MilvusConfig)
    assert read({"kind": "auto", "threshold": 7}) == read({"threshold": 7, "kind": "auto"})
    with pytest.raises(ValueError, match="kind"):
        read({"kind": "elastic"})
