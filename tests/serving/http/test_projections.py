"""A projection behind HTTP: images, texts, vectors and entries of its base find the base's entries."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient

from holdfast.adapters import LinearAdapter
from holdfast.entries import Entries
from holdfast.models import ModelConfig, Projection, VersionTrunkConfig
from holdfast.store import Draft, Store
from tests.fixtures.endpoints import adopt_endpoint, running_vendor

DataUri = Callable[..., str]


@pytest.fixture
def over_endpoint(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Projection]]:
    """`clip` (v4), a model of images and text that answers queries, and v5 and v6, projections over it of
    runs that know nothing of each other."""
    with running_vendor() as vendor:
        version = store.versions.get(adopt_endpoint(store, vendor, "clip"))
        base = VersionTrunkConfig(
            name=version.name, train="none", contract=version.contract, dimension=version.dimension
        )
        projections = []
        for seed in (1, 2):
            torch.manual_seed(seed)
            made = Projection(ModelConfig(trunk=base, dimension=version.dimension)).eval()
            torch.nn.init.orthogonal_(made.linear.weight)
            folder = tmp_path_factory.mktemp("projection")
            made.save(folder)
            draft = Draft(f"run-{seed}", 1, 0, version.name, folder, "name: test", "data", {})
            name = store.versions.publish(replace(draft, kind="projection", base=version.name)).name
            adapter = LinearAdapter.of(made.matrix())
            store.adapters.register(name, version.name, adapter, {"kind": "projection"}, maps="entries")
            projections.append(made)
        store.traffic.change(query_version=version.name, write_version=version.name, force=True)
        yield projections


def test_projections_take_over_from_each_other_without_a_word_to_the_gallery(
    store: Store, over_endpoint: list[Projection], client: TestClient, data_uri: DataUri
) -> None:
    for seed in range(4):
        entry = {"id": f"e{seed}", "image": data_uri(seed)}
        seq = client.put("/v1/gallery/entries", json={"entries": [entry]}).json()["seq"]
    rows = np.stack([entry.vector for entry in Entries(store).get_many([f"e{n}" for n in range(4)])])

    def search(**query: object) -> dict[str, float]:
        found = client.post("/v1/search", json={"k": 4, "min_seq": seq, **query})
        assert found.status_code == 200, found.text
        assert (found.json()["exact"], found.json()["adapted"]) == (["v4"], [])
        return {hit["id"]: hit["score"] for hit in found.json()["hits"]}

    for name, projection in zip(("v5", "v6"), over_endpoint, strict=True):
        record = client.get("/v1/traffic").json()
        # Never measured against the one before: both meet the same entries exactly.
        wish = {"expect_epoch": record["epoch"], "query_version": name}
        changed = client.put("/v1/traffic", json=wish)
        assert changed.status_code == 200, changed.text
        assert (changed.json()["write_version"], changed.json()["forced"]) == ("v4", False)
        mapped = projection.embed(rows)
        for query in ({"image": data_uri(9)}, {"text": "red apples"}):
            answer = client.post("/v1/embeddings", json={"model": "clip", "input": query})
            of_base = np.array([answer.json()["data"][0]["embedding"]], np.float32)
            own = projection.embed(of_base)[0]
            answer = client.post("/v1/embeddings", json={"model": "live", "input": query})
            np.testing.assert_allclose(answer.json()["data"][0]["embedding"], own, atol=1e-5)
            expected = {f"e{n}": float(row @ own) for n, row in enumerate(mapped)}
            assert search(**query) == pytest.approx(expected, abs=1e-4)
        assert search(vector=mapped[2].tolist(), model=name)["e2"] == pytest.approx(1, abs=1e-4)
        beside = search(id="e2", model="live")
        assert beside == pytest.approx({f"e{n}": float(mapped[n] @ mapped[2]) for n in (0, 1, 3)}, abs=1e-4)
    epoch = client.get("/v1/traffic").json()["epoch"]
    wish = {"expect_epoch": epoch, "canary_version": "v5", "canary_share": 0.5}
    assert client.put("/v1/traffic", json=wish).json()["canary_version"] == "v5"
    new = {"id": "new", "vector": rows[0].tolist(), "version": "v6"}
    refused = client.put("/v1/gallery/entries", json={"entries": [new]})
    assert refused.status_code == 422
    assert "write vectors of v4" in refused.text
