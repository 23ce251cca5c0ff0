"""The traffic record over HTTP, and replicas that follow it."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from holdfast.entries import Entries, Entry
from holdfast.models import Encoder
from holdfast.store import Store
from tests.fixtures.waiting import wait_until

DataUri = Callable[..., str]


def embed(client: TestClient, data_uri: DataUri, model: str = "live", **headers: str) -> str:
    answer = client.post("/v1/embeddings", json={"model": model, "input": data_uri()}, headers=headers)
    assert answer.status_code == 200, answer.text
    version: str = answer.json()["model"]
    return version


def loaded(client: TestClient) -> tuple[str, ...]:
    names: tuple[str, ...] = client.app.state.replica.versions.names  # type: ignore[attr-defined]
    return names


def test_promote_and_rollback_take_effect_with_the_answer(client: TestClient, data_uri: DataUri) -> None:
    before = client.get("/v1/traffic").json()
    assert (before["query_version"], before["write_version"]) == ("v1", "v1")
    answer = client.put("/v1/traffic", json={"expect_epoch": before["epoch"], "query_version": "v3"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["applied_epoch"] == answer.json()["epoch"] == before["epoch"] + 1
    assert answer.json()["write_version"] == "v1"
    assert embed(client, data_uri) == "v3"
    assert embed(client, data_uri, "previous") == "v1"
    back = client.post("/v1/traffic/rollback", json={"expect_epoch": answer.json()["epoch"]})
    assert back.json()["query_version"] == "v1"
    assert embed(client, data_uri) == "v1"
    assert client.post("/v1/traffic/rollback").status_code == 409
    assert embed(client, data_uri) == "v1"


def test_a_version_that_is_retired_answers_no_more(
    client: TestClient, store: Store, data_uri: DataUri
) -> None:
    assert embed(client, data_uri, "v2") == "v2"
    refused = client.delete("/v1/models/v2", headers={"Authorization": f"Bearer {store.keys.create('read')}"})
    assert refused.status_code == 403
    needed = client.delete("/v1/models/live")
    assert (needed.status_code, needed.json()["error"]["code"]) == (409, "conflict")
    assert "v1 cannot be retired: it is live and writing" in needed.json()["error"]["message"]
    retired = client.delete("/v1/models/v2").json()
    assert (retired["id"], retired["object"], retired["deleted"]) == ("v2", "model", True)
    assert [model["id"] for model in client.get("/v1/models").json()["data"]] == ["v1", "v3"]
    assert client.get("/v1/models/v3").json()["lineage"] == ["v2"]
    for asked in ({"model": "v2", "input": data_uri()}, {"model": "v2", "input": [data_uri()]}):
        wait_until(lambda asked=asked: client.post("/v1/embeddings", json=asked).status_code == 404)
    assert "v2 was retired on" in client.delete("/v1/models/v2").json()["error"]["message"]
    assert client.get("/v1/compatibility").status_code == 200


def test_a_share_of_null_is_one_that_was_left_out(client: TestClient) -> None:
    for share in (0.5, None):
        epoch = client.get("/v1/traffic").json()["epoch"]
        change = {"expect_epoch": epoch, "canary_version": "v3", "canary_share": share}
        answer = client.put("/v1/traffic", json=change)
        assert (answer.status_code, answer.json()["canary_share"]) == (200, 0.5)


def test_a_stale_epoch_is_409(client: TestClient) -> None:
    stale = client.put("/v1/traffic", json={"expect_epoch": 0, "query_version": "v3"})
    assert stale.status_code == 409
    assert stale.json()["error"]["code"] == "stale_epoch"
    assert client.post("/v1/traffic/rollback", json={"expect_epoch": 7}).status_code == 409
    assert client.put("/v1/traffic", json={"query_version": "v3"}).status_code == 422


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"query_version": "v2"}, 409, "incompatible_versions"),
        ({"canary_version": "v2", "canary_share": 0.5}, 409, "incompatible_versions"),
        ({"query_version": "v9"}, 404, "not_found"),
        ({"canary_share": 0.5}, 422, "invalid_config"),
        ({"canary_version": "v3", "canary_share": 1.5}, 422, "invalid"),
    ],
)
def test_a_bad_change_changes_nothing(
    client: TestClient, change: dict[str, Any], status: int, code: str
) -> None:
    before = client.get("/v1/traffic").json()
    answer = client.put("/v1/traffic", json={"expect_epoch": before["epoch"], **change})
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["code"] == code
    assert client.get("/v1/traffic").json() == before


def test_force_is_recorded(client: TestClient, data_uri: DataUri) -> None:
    change = {"expect_epoch": 1, "query_version": "v2", "force": True, "note": "an experiment"}
    answer = client.put("/v1/traffic", json=change).json()
    assert answer["forced"] is True
    assert answer["note"] == "an experiment"
    assert answer["made_by"].startswith("key ")
    assert embed(client, data_uri) == "v2"


def test_a_canary_gets_its_share_of_users_and_only_of_live(client: TestClient, data_uri: DataUri) -> None:
    change = {"expect_epoch": 1, "canary_version": "v3", "canary_share": 0.5}
    assert client.put("/v1/traffic", json=change).status_code == 200
    sides = {user: embed(client, data_uri, **{"X-User": user}) for user in map(str, range(20))}
    assert set(sides.values()) == {"v1", "v3"}
    for user, side in sides.items():
        assert embed(client, data_uri, **{"X-User": user}) == side
        assert embed(client, data_uri, "v1", **{"X-User": user}) == "v1"
        assert embed(client, data_uri, "canary", **{"X-User": user}) == "v3"
    end = {"expect_epoch": 2, "canary_version": None}
    assert client.put("/v1/traffic", json=end).json()["canary_share"] == 0
    assert {embed(client, data_uri, **{"X-User": user}) for user in sides} == {"v1"}
    assert client.post("/v1/embeddings", json={"model": "canary", "input": data_uri()}).status_code == 404


def test_a_change_by_another_process_is_followed_and_old_versions_are_dropped(
    client: TestClient, store: Store, data_uri: DataUri
) -> None:
    assert loaded(client) == ("v1",)
    store.traffic.promote("v3", writes=True)
    wait_until(lambda: embed(client, data_uri) == "v3")
    assert set(loaded(client)) == {"v1", "v3"}, "the previous version stays at hand"
    store.traffic.change(canary_version="v1", canary_share=0.1)
    wait_until(lambda: client.get("/v1/traffic").json()["applied_epoch"] == 3)
    assert set(loaded(client)) == {"v1", "v3"}


def test_versions_asked_for_by_name_are_loaded_within_a_bound(
    serve_here: Callable[..., TestClient], admin_key: str, data_uri: DataUri
) -> None:
    client = serve_here(spare_versions=1)
    client.headers["X-API-Key"] = admin_key
    assert embed(client, data_uri, "v2") == "v2"
    assert loaded(client) == ("v1", "v2")
    assert embed(client, data_uri, "v3") == "v3"
    assert loaded(client) == ("v1", "v3")
    assert embed(client, data_uri, "v1") == "v1"
    assert loaded(client) == ("v1", "v3")


def test_a_version_that_cannot_be_loaded_leaves_the_old_one_serving(
    client: TestClient, store: Store, data_uri: DataUri
) -> None:
    for weights in store.artifacts.folder(
        store.versions.get("v3").artifacts, store.versions.get("v3").files
    ).glob("*.safetensors"):
        weights.write_bytes(weights.read_bytes()[:-10])
    refused = client.put("/v1/traffic", json={"expect_epoch": 1, "query_version": "v3"})
    assert refused.status_code == 503
    assert client.get("/v1/traffic").json()["query_version"] == "v1"
    store.traffic.promote("v3")
    wait_until(lambda: b"holdfast_follow_failures_total 0.0" not in client.get("/metrics").content)
    assert embed(client, data_uri) == "v1"


def test_the_list_of_models(client: TestClient) -> None:
    listing = client.get("/v1/models").json()
    assert listing["object"] == "list"
    assert [model["id"] for model in listing["data"]] == ["v1", "v2", "v3"]
    first, _, third = listing["data"]
    assert first["aliases"] == ["live", "writing"]
    assert first["contract"].startswith("hf1-")
    assert third["dimension"] == 16
    assert [row["version"] for row in third["searches"] if row["compatible"]] == ["v1"]
    one = client.get("/v1/models/v3").json()
    assert one["lineage"] == ["v2", "v1"]
    assert one["metrics"] == {"recall": 50.0}
    assert client.get("/v1/models/live").json()["id"] == "v1"
    assert client.get("/v1/models/v9").status_code == 404


def test_an_empty_store_is_alive_and_not_ready(
    tmp_path: Any, serve_here: Callable[..., TestClient], store: Store, admin_key: str, data_uri: DataUri
) -> None:
    store.traffic.change(query_version=None, write_version=None, force=True)
    client = serve_here()
    client.headers["X-API-Key"] = admin_key
    assert client.get("/livez").status_code == 200
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["reason"] == "no version is live yet"
    answer = client.post("/v1/embeddings", json={"input": data_uri()})
    assert answer.status_code == 503
    assert "promote" in answer.json()["error"]["message"]
    store.traffic.promote("v1")
    wait_until(lambda: client.get("/readyz").status_code == 200)


def test_metrics_tell_what_happened(
    client: TestClient,
    store: Store,
    encoders: dict[str, Encoder],
    data_uri: DataUri,
    png: Callable[..., bytes],
) -> None:
    seq = Entries(store).upsert([Entry("a", "v1", encoders["v1"].embed([png(0)])[0])])
    client.post("/v1/search", json={"image": data_uri(), "min_seq": seq})
    client.post("/v1/search", json={"image": "?"})
    text = client.get("/metrics").text
    assert 'holdfast_requests_total{code="200",route="/v1/search",version="v1"} 1.0' in text
    assert 'holdfast_requests_total{code="422",route="/v1/search",version=""} 1.0' in text
    assert f"holdfast_gallery_applied_seq {float(seq)}" in text
    assert 'holdfast_gallery_entries{version="v1"} 1.0' in text
    assert "holdfast_traffic_epoch 1.0" in text
    assert 'holdfast_version_loaded{version="v1"} 1.0' in text
    assert 'holdfast_embed_batch_size_count{version="v1"} 1.0' in text


def test_the_queries_of_a_key_that_is_named_go_to_the_canary(
    client: TestClient, store: Store, data_uri: Callable[..., str]
) -> None:
    team = {"Authorization": f"Bearer {store.keys.create('read', 'team')}"}
    shop = {"Authorization": f"Bearer {store.keys.create('read', 'shop')}"}
    epoch = client.get("/v1/traffic").json()["epoch"]
    change = {"expect_epoch": epoch, "canary_version": "v3", "canary_keys": ["team"]}
    answer = client.put("/v1/traffic", json=change).json()
    assert (answer["canary_keys"], answer["canary_share"]) == (["team"], 0)
    body = {"input": data_uri(1)}
    assert client.post("/v1/embeddings", json=body, headers=team).json()["model"] == "v3"
    assert client.post("/v1/embeddings", json=body, headers=shop).json()["model"] == "v1"
    assert (
        client.post("/v1/search", json={"image": data_uri(1)}, headers=team).json()["query_version"] == "v3"
    )
    history = client.get("/v1/traffic/history").json()
    assert history["total"] == epoch + 1
    newest, before = history["records"][:2]
    assert (newest["canary_version"], newest["canary_keys"]) == ("v3", ["team"])
    assert newest["made_by"].startswith("key ")
    assert before["canary_version"] is None
    assert len(client.get("/v1/traffic/history?limit=1", headers=shop).json()["records"]) == 1
    assert client.get("/v1/traffic/history?limit=0").status_code == 422


def test_a_rollback_says_why(client: TestClient) -> None:
    epoch = client.get("/v1/traffic").json()["epoch"]
    assert client.put("/v1/traffic", json={"expect_epoch": epoch, "query_version": "v3"}).status_code == 200
    back = client.post("/v1/traffic/rollback", json={"note": "SHOP-8: too slow"}).json()
    assert (back["query_version"], back["note"]) == ("v1", f"roll back to {epoch}: SHOP-8: too slow")
