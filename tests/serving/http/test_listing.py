"""Entries in pages, counted, and deleted by a filter."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.serving.http.test_gallery import unit


@pytest.fixture
def filled(client: TestClient) -> TestClient:
    """e00 to e11 of v1 and v3 by turns; every third is red, with a date and tags."""
    entries = [
        {
            "id": f"e{n:02}",
            "vector": unit(n),
            "version": "v1" if n % 2 else "v3",
            "attributes": {
                "n": n,
                "color": "red" if n % 3 == 0 else "blue",
                "tags": ["even", f"n{n}"] if n % 2 == 0 else [],
                "taken": f"2024-05-{n + 1:02}T12:00:00+02:00",
            }
            | ({} if n else {"first": True}),
        }
        for n in range(12)
    ]
    assert client.put("/v1/gallery/entries", json={"entries": entries}).status_code == 200
    return client


def ask(client: TestClient, what: str, **body: Any) -> Any:
    answer = client.post(f"/v1/gallery/entries/{what}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def listed(client: TestClient, **body: Any) -> list[str]:
    return [entry["id"] for entry in ask(client, "list", **body)["entries"]]


def test_pages_follow_each_other(filled: TestClient) -> None:
    found: list[str] = []
    after = None
    while True:
        page = ask(filled, "list", limit=5, after=after)
        found += [entry["id"] for entry in page["entries"]]
        if (after := page["next"]) is None:
            break
        assert after == found[-1]
    assert found == [f"e{n:02}" for n in range(12)]
    first = ask(filled, "list", limit=1, attributes=["n", "none"], vector=True)["entries"][0]
    assert first["attributes"] == {"n": 0}
    assert first["vector"] == pytest.approx(unit(0), abs=1e-6)
    assert ask(filled, "list", limit=1, attributes=False)["entries"][0]["attributes"] == {}
    assert "vector" not in ask(filled, "list", limit=1)["entries"][0]


FILTERS: list[tuple[dict[str, Any], list[int]]] = [
    ({"color": "red"}, [0, 3, 6, 9]),
    ({"not": {"color": {"in": ["red"]}}, "n": {"lt": 6}}, [1, 2, 4, 5]),
    ({"or": [{"n": {"lte": 1}}, {"tags": "n4"}]}, [0, 1, 4]),
    ({"tags": {"in": ["n2", "n3", "n8"]}}, [2, 8]),
    ({"tags": {"exists": True}, "first": {"exists": False}, "n": {"lt": 2}}, [1]),
    ({"first": {"exists": True}}, [0]),
    ({"taken": {"gte": "2024-05-10", "lt": "2024-05-11T10:00:00Z"}}, [9]),
    ({"taken": {"gt": "2024-05-12T11:59+02:00"}}, [11]),
]


def test_one_filter_for_lists_counts_and_searches(filled: TestClient) -> None:
    for raw, expected in FILTERS:
        names = [f"e{n:02}" for n in expected]
        assert listed(filled, filter=raw) == names
        assert ask(filled, "count", filter=raw) == {"count": len(names)}
        search = {"vector": unit(0), "model": "v1", "k": 12, "filter": raw, "min_seq": 12}
        assert sorted(hit["id"] for hit in filled.post("/v1/search", json=search).json()["hits"]) == names


def test_versions_are_chosen_by_name_or_alias(filled: TestClient) -> None:
    assert ask(filled, "count", versions=["v3"]) == ask(filled, "count", versions=["live"]) == {"count": 6}
    assert ask(filled, "count") == {"count": 12}
    assert listed(filled, versions=["v3"], filter={"n": {"gt": 5}}) == ["e06", "e08", "e10"]
    assert filled.post("/v1/gallery/entries/count", json={"versions": ["v99"]}).status_code == 404


def test_a_deletion_by_a_filter_counts_first_if_asked(filled: TestClient) -> None:
    red = {"color": "red"}
    dry = ask(filled, "delete", filter=red, dry_run=True)
    assert dry == {"seq": 12, "count": 4, "deleted": [], "missing": [], "more": False}
    assert ask(filled, "count") == {"count": 12}
    assert ask(filled, "delete", filter=red, versions=["v3"])["count"] == 2
    done = ask(filled, "delete", filter=red)
    assert done == {"seq": 16, "count": 2, "deleted": [], "missing": [], "more": False}
    assert ask(filled, "delete", filter=red)["count"] == 0
    assert listed(filled) == [f"e{n:02}" for n in range(12) if n % 3]
    search = {"vector": unit(0), "model": "v1", "k": 12, "min_seq": done["seq"]}
    assert len(filled.post("/v1/search", json=search).json()["hits"]) == 8


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("delete", {}, "exactly one of ids and filter"),
    ("delete", {"ids": ["a"], "filter": {"n": 1}}, "exactly one of ids and filter"),
    ("delete", {"filter": {}}, "an empty filter would delete every entry"),
    ("delete", {"ids": ["a"], "dry_run": True}, "go with a filter"),
    ("delete", {"filter": {"n": {"above": 1}}}, "The filter on 'n' knows"),
    ("list", {"filter": {"or": []}}, "at least one filter"),
    ("list", {"limit": 0}, "limit"),
    ("list", {"limit": 1001}, "at most 1,000"),
    ("count", {"filter": {"not": {"gt": 1}}}, "names no attribute"),
    ("count", {"where": {}}, "is no key here"),
]


def test_what_cannot_be_meant_is_refused(client: TestClient) -> None:
    for what, body, said in REFUSED:
        answer = client.post(f"/v1/gallery/entries/{what}", json=body)
        assert answer.status_code in (413, 422)
        assert said in answer.json()["error"]["message"]


def test_who_reads_may_list_and_count_but_not_delete(client: TestClient, store: Any) -> None:
    headers = {"Authorization": f"Bearer {store.keys.create('read')}"}
    statuses = {
        what: client.post(f"/v1/gallery/entries/{what}", json=body, headers=headers).status_code
        for what, body in (("list", {}), ("count", {}), ("delete", {"filter": {"n": 1}, "dry_run": True}))
    }
    assert statuses == {"list": 200, "count": 200, "delete": 403}
