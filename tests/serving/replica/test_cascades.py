"""Searches that rank the best entries by their images, within a budget, and keep what they embedded."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from holdfast.adapters import RidgeConfig
from holdfast.backfill import images
from holdfast.entries import Entries, Entry
from holdfast.models import Encoder
from holdfast.store import Compatibility, Store
from tests.fixtures.waiting import wait_until

COUNT = 30
Start = Callable[..., TestClient]


@pytest.fixture
def folder(tmp_path: Path, png: Callable[..., bytes]) -> Path:
    """The images of the gallery: 0.png, 1.png, ..."""
    made = tmp_path / "images"
    made.mkdir()
    for number in range(COUNT):
        (made / f"{number}.png").write_bytes(png(number))
    return made


@pytest.fixture
def measure(store: Store, encoders: dict[str, Encoder], png: Callable[..., bytes]) -> Callable[..., None]:
    """v2, which learned nothing from v1, gets a poor adapter to its entries, and is measured with it."""
    samples = [png(number) for number in range(100, 140)]
    adapter = RidgeConfig().fit(encoders["v1"].embed(samples), encoders["v2"].embed(samples))
    digest = store.adapters.register("v2", "v1", adapter).digest

    def record(candidates: int, query: str = "v2", gallery: str = "v1") -> None:
        store.compatibility.record(
            [
                Compatibility(
                    query,
                    gallery,
                    *(60.0, 50.0, 5.0, 15.0, True, "test"),
                    adapter=digest if query == "v2" else None,
                    candidates=candidates,
                )
            ]
        )

    return record


@pytest.fixture
def filled(store: Store, encoders: dict[str, Encoder], folder: Path) -> Store:
    """COUNT entries by v1 that name their images."""
    paths = [folder / f"{number}.png" for number in range(COUNT)]
    vectors = encoders["v1"].embed([path.read_bytes() for path in paths])
    Entries(store).upsert(
        [Entry(f"e{number}", "v1", vectors[number], {}, str(path)) for number, path in enumerate(paths)]
    )
    return store


@pytest.fixture
def start(serve_here: Start, filled: Store, admin_key: str, folder: Path) -> Start:
    """Servers that may read the images, and wait for them on a busy machine, too."""

    def with_key(**settings: Any) -> TestClient:
        cascade = {"seconds": 30, **settings.pop("cascade", {})}
        client = serve_here(**{"sources": (str(folder),), "cascade": cascade, **settings})
        client.headers["Authorization"] = f"Bearer {admin_key}"
        return client

    return with_key


@pytest.fixture
def hung(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A disk that delivers nothing until the event is set."""
    delivers = threading.Event()
    read = images.read_image
    monkeypatch.setattr(images, "read_image", lambda *asked: (delivers.wait(), read(*asked))[1])
    yield delivers
    delivers.set()


@pytest.fixture
def own(encoders: dict[str, Encoder], png: Callable[..., bytes]) -> np.ndarray:
    """v2's vectors of the gallery's images."""
    return encoders["v2"].embed([png(number) for number in range(COUNT)])


def ask(client: TestClient, query: np.ndarray, **body: Any) -> dict[str, Any]:
    asked = {"vector": query.tolist(), "model": "v2", "k": 5, **body}
    answer = client.post("/v1/search", json=asked)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def nearest(own: np.ndarray, query: np.ndarray, ids: set[str]) -> list[str]:
    order = [f"e{number}" for number in np.argsort(-(own @ query), kind="stable")]
    return [identifier for identifier in order if identifier in ids]


def counts(answer: dict[str, Any]) -> dict[str, int]:
    return {outcome: count for outcome, count in answer["cascade"].items() if count}


def test_traffic_moves_the_gallery_and_then_nothing_is_embedded(
    start: Start, measure: Callable[..., None], own: np.ndarray
) -> None:
    measure(10)
    measure(0, "v1", "v2")
    client = start(cascade={"candidates": 12})
    query = own[3] + 0.3 * own[4]
    query /= np.linalg.norm(query)
    first = ask(client, query, k=12)
    assert counts(first) == {"recalled": 12, "embedded": 12, "kept": 12}
    assert (first["versions"], first["adapted"], first["excluded"]) == (["v1"], ["v1"], {})
    pool = {hit["id"] for hit in first["hits"]}
    assert [hit["id"] for hit in first["hits"]] == nearest(own, query, pool)
    assert {(hit["embedded_by"], hit["ranked_by"]) for hit in first["hits"]} == {("v1", "own")}
    scores = {f"e{number}": score for number, score in enumerate(own @ query)}
    assert all(hit["score"] == pytest.approx(scores[hit["id"]], abs=1e-5) for hit in first["hits"])

    wait_until(lambda: client.get("/v1/gallery").json()["entries"] == {"v1": COUNT - 12, "v2": 12})
    moved = client.get(f"/v1/gallery/entries/{first['hits'][0]['id']}").json()
    assert (moved["embedded_by"], moved["mapped_from"]) == ("v2", None)
    again = ask(client, query, k=12)["cascade"]
    assert (again["own"] + again["embedded"], again["recalled"]) == (12, 12)
    wait_until(lambda: counts(ask(client, query)) == {"recalled": 12, "own": 12})
    told = client.get("/metrics").text
    assert 'holdfast_cascade_candidates_total{outcome="embedded"}' in told
    assert 'holdfast_cascade_vectors_total{outcome="kept"}' in told


def test_what_a_version_in_charge_could_not_search_stays_in_memory(
    start: Start, measure: Callable[..., None], filled: Store, own: np.ndarray
) -> None:
    """v1 answers queries, and may not search entries of v2."""
    measure(10)
    client = start(cascade={"candidates": 10})
    assert counts(ask(client, own[0])) == {"recalled": 10, "embedded": 10}
    assert counts(ask(client, own[0])) == {"recalled": 10, "cached": 10}
    time.sleep(0.4)
    assert Entries(filled).count() == {"v1": COUNT}
    # Rewritten with another image, an entry is embedded anew.
    entries = Entries(filled)
    (nearest_one,) = entries.get_many([ask(client, own[0], k=1)["hits"][0]["id"]])
    seq = entries.upsert([nearest_one])
    assert counts(ask(client, own[0], min_seq=seq)) == {"recalled": 10, "embedded": 1, "cached": 9}


def test_a_version_that_needs_a_cascade_is_refused_where_nothing_may_be_read(
    start: Start, measure: Callable[..., None], own: np.ndarray
) -> None:
    measure(10)
    client = start(sources=())
    asked = {"vector": own[0].tolist(), "model": "v2"}
    refused = client.post("/v1/search", json=asked)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "incompatible_versions")
    assert "v2 searches entries of v1 only in a cascade" in refused.json()["error"]["message"]
    assert "--sources" in refused.json()["error"]["message"]
    asked_for = client.post("/v1/search", json={**asked, "cascade": 20})
    assert asked_for.status_code == 422
    assert "--sources" in asked_for.json()["error"]["message"]
    entry = {"id": "new", "vector": own[1].tolist(), "version": "v2"}
    seq = client.put("/v1/gallery/entries", json={"entries": [entry]}).json()["seq"]
    answer = ask(client, own[0], min_seq=seq)
    assert (answer["versions"], answer["excluded"], answer["cascade"]) == (["v2"], {"v1": COUNT}, None)


def test_a_request_may_ask_for_a_cascade_or_for_none(
    start: Start, measure: Callable[..., None], own: np.ndarray
) -> None:
    measure(0)
    client = start()
    plain = ask(client, own[2])
    assert plain["cascade"] is None
    assert {hit["ranked_by"] for hit in plain["hits"]} == {"adapter"}
    assert counts(ask(client, own[2], cascade=7)) == {"recalled": 7, "embedded": 7}
    top = ask(client, own[2], cascade=COUNT, k=COUNT)
    assert [hit["id"] for hit in top["hits"]] == nearest(own, own[2], {f"e{n}" for n in range(COUNT)})
    assert ask(client, own[2], cascade=0) == plain
    always = start(cascade={"always": True, "candidates": 4})
    answer = ask(always, own[2])
    assert answer["cascade"]["recalled"] == 4
    assert [hit["ranked_by"] for hit in answer["hits"]] == ["own"] * 4 + ["adapter"]
    too_many = client.post("/v1/search", json={"vector": own[2].tolist(), "model": "v2", "cascade": 1001})
    assert too_many.status_code == 422


def test_the_count_and_what_cannot_be_read_are_said(
    start: Start, measure: Callable[..., None], own: np.ndarray, folder: Path
) -> None:
    measure(0)
    client = start(cascade={"images": 3})
    by_adapter = [hit["id"] for hit in ask(client, own[5], k=6)["hits"]]
    (folder / f"{by_adapter[0][1:]}.png").unlink()
    (folder / f"{by_adapter[1][1:]}.png").write_bytes(b"no image")
    answer = ask(client, own[5], cascade=6, k=6)
    assert counts(answer) == {"recalled": 6, "embedded": 1, "unreachable": 2, "over_budget": 3}
    ranked_by = {hit["id"]: hit["ranked_by"] for hit in answer["hits"]}
    assert ranked_by == dict.fromkeys(by_adapter, "adapter") | {by_adapter[2]: "own"}


@pytest.mark.quiet
def test_images_that_hang_hold_no_answer_longer_than_the_budget(
    start: Start, measure: Callable[..., None], own: np.ndarray, hung: threading.Event
) -> None:
    measure(10)
    client = start(cascade={"seconds": 0.3, "readers": 2})
    plain = ask(client, own[1], k=3)  # loads the model
    took = []

    def search() -> None:
        began = time.monotonic()
        answer = ask(client, own[1], k=3)
        took.append(time.monotonic() - began)
        assert counts(answer) == {"recalled": COUNT, "over_budget": COUNT}
        assert answer["hits"] == plain["hits"]
        assert {hit["ranked_by"] for hit in answer["hits"]} == {"adapter"}

    threads = [threading.Thread(target=search) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(took) == len(threads)
    assert max(took) < 0.3 + 1.5, "on a busy machine; it would be without end"
    hung.set()
    wait_until(lambda: ask(client, own[1])["cascade"]["over_budget"] == 0)


def test_a_model_that_embeds_no_images_cannot_cascade(
    start: Start, measure: Callable[..., None], own: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure(10)
    client = start()
    monkeypatch.setattr(Encoder, "takes", frozenset())
    refused = client.post("/v1/search", json={"vector": own[0].tolist(), "model": "v2"})
    assert refused.status_code == 409
    assert "v2 embeds none itself" in refused.json()["error"]["message"]
