"""Search over a gallery that two versions filled, and the refusals that keep it honest."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from holdfast.adapters import RidgeConfig
from holdfast.base import StoreError
from holdfast.entries import Entries, Entry
from holdfast.models import Encoder
from holdfast.store import Compatibility, MeasuredCalibration, Store
from holdfast_serving.http.auth import hash_key
from tests.serving.http.test_gallery import unit

DataUri = Callable[..., str]


@pytest.fixture
def filled(
    client: TestClient, store: Store, encoders: dict[str, Encoder], png: Callable[..., bytes]
) -> TestClient:
    """Images 0..19 embedded by v1, 20..39 by v3, with attributes."""
    entries = []
    for version, numbers in (("v1", range(20)), ("v3", range(20, 40))):
        vectors = encoders[version].embed([png(number) for number in numbers])
        entries += [
            Entry(str(number), version, vector, {"number": number, "even": number % 2 == 0})
            for number, vector in zip(numbers, vectors, strict=True)
        ]
    seq = Entries(store).upsert(entries)
    answer = client.post("/v1/search", json={"id": "0", "min_seq": seq})
    assert answer.status_code == 200, answer.text
    return client


def ask(client: TestClient, **body: Any) -> dict[str, Any]:
    answer = client.post("/v1/search", json=body)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    assert answer.headers["X-Model-Version"] == content["query_version"]
    return content


@pytest.mark.parametrize("version", ["v1", "v3"])
def test_either_version_finds_what_both_wrote(filled: TestClient, data_uri: DataUri, version: str) -> None:
    found = 0
    for number in range(40):
        answer = ask(filled, image=data_uri(number), model=version, k=1)
        assert answer["query_version"] == version
        assert answer["versions"] == ["v1", "v3"]
        hit = answer["hits"][0]
        found += hit["id"] == str(number) and hit["embedded_by"] == ("v1" if number < 20 else "v3")
    assert found >= 38


def test_the_default_is_the_live_version(filled: TestClient, data_uri: DataUri) -> None:
    assert ask(filled, image=data_uri(5))["query_version"] == "v1"
    assert len(ask(filled, image=data_uri(5), k=7)["hits"]) == 7


def test_a_gallery_out_of_reach_is_refused_and_says_why(filled: TestClient, data_uri: DataUri) -> None:
    for versions in (None, ["v1", "v3"]):
        answer = filled.post("/v1/search", json={"image": data_uri(5), "model": "v2", "versions": versions})
        assert answer.status_code == 409
        error = answer.json()["error"]
        assert error["code"] == "incompatible_versions"
        assert "not compatible with entries of v1" in error["message"]
        assert "never measured against entries of v3" in error["message"]
        assert ("holdfast evaluate" if versions is None else "versions") in error["message"]


def test_what_a_version_may_not_search_is_left_out_and_counted(
    filled: TestClient,
    store: Store,
    encoders: dict[str, Encoder],
    png: Callable[..., bytes],
    data_uri: DataUri,
) -> None:
    entries = [Entry(f"v2-{n}", "v2", encoders["v2"].embed([png(n)])[0]) for n in range(3)]
    seq = Entries(store).upsert(entries)
    answer = ask(filled, image=data_uri(1), model="v2", min_seq=seq)
    assert {hit["embedded_by"] for hit in answer["hits"]} == {"v2"}
    assert (answer["versions"], answer["excluded"]) == (["v2"], {"v1": 20, "v3": 20})
    answer = ask(filled, image=data_uri(1), model="v3", k=60)
    assert len(answer["hits"]) == 40
    assert (answer["versions"], answer["excluded"]) == (["v1", "v3"], {"v2": 3})
    assert ask(filled, image=data_uri(1), model="v3", versions=["v3"])["excluded"] == {}


def test_hits_are_ranked_by_calibrated_scores_and_keep_their_own(
    filled: TestClient, store: Store, data_uri: DataUri
) -> None:
    before = ask(filled, image=data_uri(30), model="v3", k=40)["hits"]
    assert all(hit["calibrated"] == hit["score"] for hit in before)
    store.calibrations.record([MeasuredCalibration("v3", "v1", 2.0)])
    seq = Entries(store).delete(["0"])
    after = ask(filled, image=data_uri(30), model="v3", k=40, min_seq=seq)["hits"]
    assert [hit["embedded_by"] for hit in after] == ["v1"] * 19 + ["v3"] * 20
    scores = {hit["id"]: hit["score"] for hit in before}
    for hit in after:
        assert hit["score"] == scores[hit["id"]]
        own = hit["embedded_by"] == "v3"
        assert hit["calibrated"] == pytest.approx(hit["score"] + (0 if own else 2))


def test_naming_versions_narrows_the_search(filled: TestClient, data_uri: DataUri) -> None:
    answer = ask(filled, image=data_uri(25), k=40, versions=["v3"])
    assert {hit["embedded_by"] for hit in answer["hits"]} == {"v3"}
    assert len(answer["hits"]) == 20
    assert ask(filled, image=data_uri(25), model="v2", versions=["v2"])["hits"] == []
    assert filled.post("/v1/search", json={"image": data_uri(), "versions": ["v9"]}).status_code == 404


def test_filters(filled: TestClient, data_uri: DataUri) -> None:
    answer = ask(filled, image=data_uri(5), k=40, filter={"even": True, "number": {"gte": 10, "lt": 30}})
    assert sorted(int(hit["id"]) for hit in answer["hits"]) == list(range(10, 30, 2))
    bad = filled.post("/v1/search", json={"image": data_uri(5), "filter": {"number": {"near": 3}}})
    assert bad.status_code == 422
    assert "number" in bad.json()["error"]["message"]


def test_by_vector_needs_the_version_that_made_it(
    filled: TestClient, encoders: dict[str, Encoder], png: Callable[..., bytes]
) -> None:
    vector = encoders["v3"].embed([png(33)])[0].tolist()
    assert ask(filled, vector=vector, model="v3", k=1)["hits"][0]["id"] == "33"
    without = filled.post("/v1/search", json={"vector": vector})
    assert without.status_code == 422
    assert "model" in without.json()["error"]["message"]


@pytest.mark.parametrize("vector", [[0.5] * 8, [3.0] * 16, [0.0] * 16, [1e60] * 16, []])
def test_a_bad_vector(filled: TestClient, vector: list[float]) -> None:
    answer = filled.post("/v1/search", json={"vector": vector, "model": "v1"})
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "invalid_vector"


def test_by_id_uses_the_entrys_own_vector_and_leaves_it_out(filled: TestClient) -> None:
    answer = ask(filled, id="30", k=5)
    assert answer["query_version"] == "v3"
    assert len(answer["hits"]) == 5
    assert "30" not in [hit["id"] for hit in answer["hits"]]
    assert filled.post("/v1/search", json={"id": "nobody"}).status_code == 404
    assert filled.post("/v1/search", json={"id": "30", "model": "v1"}).status_code == 422
    assert ask(filled, id="30", model="v3")["query_version"] == "v3"


@pytest.mark.parametrize("body", [{}, {"id": "1", "vector": [1.0], "model": "v1"}, {"image": "x", "id": "1"}])
def test_exactly_one_query(filled: TestClient, body: dict[str, Any]) -> None:
    answer = filled.post("/v1/search", json=body)
    assert answer.status_code == 422
    assert "exactly one" in answer.json()["error"]["message"]


def test_a_write_that_never_comes_is_not_waited_for_endlessly(
    serve_here: Callable[..., TestClient],
    store: Store,
    admin_key: str,
    data_uri: DataUri,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = serve_here(catch_up_seconds=0.2)
    client.headers["X-API-Key"] = admin_key
    never = client.post("/v1/search", json={"image": data_uri(), "min_seq": 99})
    assert never.status_code == 422
    assert "no write 99; the last one is 0" in never.json()["error"]["message"]
    for follow in ("follow", "refresh"):
        monkeypatch.setattr(client.app.state.replica.gallery, follow, lambda: 0)  # type: ignore[attr-defined]
    seq = Entries(store).upsert([Entry("late", "v1", np.eye(16, dtype=np.float32)[0])])
    answer = client.post("/v1/search", json={"image": data_uri(), "min_seq": seq})
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "not_ready"
    assert answer.headers["Retry-After"] == "1"


def test_entries_written_by_somebody_else_appear(
    filled: TestClient,
    store: Store,
    encoders: dict[str, Encoder],
    png: Callable[..., bytes],
    data_uri: DataUri,
) -> None:
    vector = encoders["v1"].embed([png(77)])[0]
    seq = Entries(store).upsert([Entry("late", "v1", vector)])
    assert ask(filled, image=data_uri(77), k=1, min_seq=seq)["hits"][0]["id"] == "late"
    np.testing.assert_allclose(ask(filled, image=data_uri(77), k=1)["hits"][0]["score"], 1, atol=1e-4)


def test_an_adapter_leads_an_unrelated_version_to_old_entries_and_the_answer_says_so(
    filled: TestClient,
    store: Store,
    encoders: dict[str, Encoder],
    png: Callable[..., bytes],
    data_uri: DataUri,
) -> None:
    images = [png(number) for number in range(200, 600)]
    adapter = RidgeConfig().fit(encoders["v1"].embed(images), encoders["v2"].embed(images))
    row = store.adapters.register("v2", "v1", adapter)
    refused = filled.post("/v1/search", json={"image": data_uri(3), "model": "v2", "versions": ["v1"]})
    assert refused.status_code == 409
    assert "through its adapter" in refused.json()["error"]["message"]
    store.compatibility.record(
        [Compatibility("v2", "v1", 60.0, 50.0, 5.0, 15.0, True, "test", adapter=row.digest)]
    )
    old = adapter.apply(encoders["v1"].embed([png(number) for number in range(20)]))
    for number in range(20):
        answer = ask(filled, image=data_uri(number), model="v2", versions=["v1"], k=1)
        assert (answer["versions"], answer["adapted"]) == (["v1"], ["v1"])
        scores = old @ encoders["v2"].embed([png(number)])[0]
        assert answer["hits"][0]["id"] == str(scores.argmax())
        assert answer["hits"][0]["score"] == pytest.approx(scores.max(), abs=1e-5)
    assert ask(filled, image=data_uri(3), model="v3")["adapted"] == []


def test_a_search_by_id_takes_the_largest_k_and_leaves_only_itself_out(
    filled: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.search.gallery.MAX_K", 39)
    assert len(ask(filled, id="30", k=39)["hits"]) == 39
    assert len(ask(filled, id="30", k=20, versions=["v1"])["hits"]) == 20


@pytest.mark.parametrize("query", ["image", "vector", "id", "alias"])
def test_every_kind_of_query_is_answered_while_the_database_is_away(
    serve_here: Callable[..., TestClient],
    store: Store,
    encoders: dict[str, Encoder],
    png: Callable[..., bytes],
    data_uri: DataUri,
    monkeypatch: pytest.MonkeyPatch,
    query: str,
) -> None:
    client = serve_here(key_hashes=(("read", hash_key("a-read-key")),))
    client.headers["X-API-Key"] = "a-read-key"
    vectors = encoders["v1"].embed([png(number) for number in range(4)])
    seq = Entries(store).upsert([Entry(str(n), "v1", vector) for n, vector in enumerate(vectors)])
    bodies: dict[str, dict[str, Any]] = {
        "image": {"image": data_uri(2)},
        "vector": {"vector": vectors[2].tolist(), "model": "v1"},
        "id": {"id": "2", "versions": ["live"]},
        "alias": {"vector": vectors[2].tolist(), "model": "live", "versions": ["v1"]},
    }
    before = ask(client, **bodies[query], min_seq=seq)["hits"]

    def away(*arguments: Any, **options: Any) -> Any:
        raise StoreError("the database is away")

    monkeypatch.setattr(store.engine, "connect", away)
    assert ask(client, **bodies[query])["hits"] == before


def test_an_answer_is_cut_grouped_and_trimmed_as_asked(client: TestClient) -> None:
    entries = [
        {
            "id": f"e{n}",
            "vector": unit(n),
            "version": "v1",
            "attributes": {"n": n, "color": ["red", "blue", "green"][n % 3], "tags": ["all", f"t{n % 2}"]},
        }
        for n in range(9)
    ]
    seq = client.put("/v1/gallery/entries", json={"entries": entries}).json()["seq"]

    def search(**more: object) -> Any:
        body = {"vector": unit(0), "model": "v1", "min_seq": seq, "k": 9, **more}
        answer = client.post("/v1/search", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    ranked = search()
    assert "groups" not in ranked
    assert search(attributes=False)["hits"][0]["attributes"] == {}
    assert search(attributes=["n", "none"])["hits"][0]["attributes"] == {"n": 0}
    least = ranked["hits"][3]["calibrated"]
    assert search(score_threshold=least)["hits"] == ranked["hits"][:4]
    grouped = search(group_by="color", k=2, group_size=2, attributes=["n"])
    assert len(grouped["groups"]) == 2
    assert grouped["groups"][0]["value"] == "red"
    assert grouped["groups"][0]["ids"][0] == "e0"
    assert sorted(hit["id"] for hit in grouped["hits"]) == sorted(
        name for group in grouped["groups"] for name in group["ids"]
    )
    by_tag = search(group_by="tags", k=10)["groups"]
    assert sorted(group["value"] for group in by_tag) == ["all", "t0", "t1"]
    for body, said in (
        ({"group_size": 2}, "group_size goes with group_by"),
        ({"group_by": "n", "k": 101}, "100 groups"),
        ({"attributes": [""]}, "attributes"),
    ):
        answer = client.post("/v1/search", json={"vector": unit(0), "model": "v1", **body})
        assert answer.status_code in (413, 422)
        assert said in answer.json()["error"]["message"]
