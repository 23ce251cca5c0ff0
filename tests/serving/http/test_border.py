"""Any text that a client sends gets the same answer on both databases, and what PUT takes can be reached."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from fastapi.testclient import TestClient

from holdfast.backfill import Backfills
from holdfast.base import HoldfastError
from holdfast.entries import Entries, Entry
from holdfast.entries.entry import InvalidEntryError
from holdfast.store import Store, open_store
from holdfast.store.database.engine import replace_rows, writing
from holdfast.store.database.schema import entries as entries_table

ENTRIES = "/v1/gallery/entries"
NUL = "\0"
HALF = "\ud800"
UNIT = np.eye(16, dtype=np.float32)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """The store of the other tests, once in each database."""
    if request.param == "sqlite":
        template = request.getfixturevalue("template")
        place: tuple[str, ...] = (str(shutil.copytree(template, tmp_path / "store")),)
    else:
        place = request.getfixturevalue("postgres_template")
    with open_store(*place) as opened:
        yield opened


def raw(client: TestClient, method: str, path: str, body: Any) -> Any:
    """Sends text that the client's own JSON would refuse to write."""
    content = json.dumps(body).encode()
    return client.request(method, path, content=content, headers={"Content-Type": "application/json"})


def entry(**changes: Any) -> dict[str, Any]:
    return {"id": "x", "vector": UNIT[0].tolist(), "version": "v1", **changes}


def bodies_with(text: str) -> list[tuple[str, str, Any]]:
    return [
        ("PUT", ENTRIES, {"entries": [entry(id=text)]}),
        ("PUT", ENTRIES, {"entries": [entry(attributes={text: 1})]}),
        ("PUT", ENTRIES, {"entries": [entry(attributes={"a": text})]}),
        ("PUT", ENTRIES, {"entries": [entry(source=text)]}),
        ("PUT", ENTRIES, {"entries": [entry(version=text)]}),
        ("POST", f"{ENTRIES}/lookup", {"ids": [text]}),
        ("POST", f"{ENTRIES}/delete", {"ids": [text]}),
        ("POST", "/v1/search", {"id": text}),
        ("POST", "/v1/search", {"vector": [1.0], "model": text}),
        ("POST", "/v1/search", {"id": "x", "versions": [text]}),
        ("POST", "/v1/search", {"id": "x", "user": text}),
        ("POST", "/v1/search", {"id": "x", "filter": {text: 1}}),
        ("POST", "/v1/search", {"id": "x", "filter": {"a": {"in": [text]}}}),
        ("POST", "/v1/embeddings", {"input": text}),
        ("PUT", "/v1/traffic", {"expect_epoch": 1, "note": text}),
        ("PUT", "/v1/traffic", {"expect_epoch": 1, "query_version": text}),
        ("POST", "/v1/backfills", {"target": text}),
        ("POST", "/v1/backfills", {"sources": [text]}),
    ]


def test_text_that_no_database_takes_is_refused_wherever_it_stands(client: TestClient) -> None:
    for text in (NUL, f"a{NUL}b", HALF, f"\udfff{HALF}"):
        for method, path, body in bodies_with(text):
            answer = raw(client, method, path, body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_text"), (path, body)
            assert "NUL" in answer.text or "surrogate" in answer.text
    assert client.get("/v1/traffic").json()["note"] == "promote v1"


def test_an_address_that_no_database_takes_is_refused(client: TestClient) -> None:
    addresses = [
        ("GET", f"{ENTRIES}/TEXT"),
        ("DELETE", f"{ENTRIES}/TEXT"),
        ("GET", "/v1/models/TEXT"),
        ("GET", "/v1/backfills/TEXT"),
        ("POST", "/v1/backfills/TEXT/pause"),
        ("GET", "/page/TEXT"),
        ("GET", f"{ENTRIES}/x?vector=TEXT"),
    ]
    for text in ("%00", "a%00b", "%FF", "%ED%A0%80", "%C0%80"):
        for method, path in addresses:
            answer = client.request(method, path.replace("TEXT", text))
            assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_text"), (path, text)


LINES = ["a\nb", "\n", "a\n", "\t\r\x01\x7f", "\u2028"]
PATHS = ["a/b", "/", "//a//", "a/../b", "./a", "...", "lookup", "delete"]
SIGNS = ["?", "#", "%", "a b", "+", ";,&=@:", "x" * 512]
UNICODE = ["é", "e\u0301", "\u202eabc", "😀", "\ufffd", "\ufeff"]
IDS = [*LINES, *PATHS, *SIGNS, *UNICODE]


def test_whatever_put_takes_get_and_delete_reach(client: TestClient) -> None:
    items = [entry(id=identifier, attributes={"a": identifier}) for identifier in IDS]
    put = client.put(ENTRIES, json={"entries": items})
    assert put.status_code == 200, put.text
    for identifier in IDS:
        address = f"{ENTRIES}/{quote(identifier, safe='')}"
        found = client.get(address)
        assert found.status_code == 200, found.text
        assert found.json()["id"] == found.json()["attributes"]["a"] == identifier
        assert client.delete(address).json()["deleted"] == identifier
        assert client.get(address).status_code == 404
    assert client.put(ENTRIES, json={"entries": items}).status_code == 200
    found = client.post(f"{ENTRIES}/lookup", json={"ids": [*IDS, "nobody"], "vector": True}).json()
    assert [each["id"] for each in found["entries"]] == IDS
    assert found["entries"][0]["vector"] == UNIT[0].tolist()
    assert found["missing"] == ["nobody"]
    gone = client.post(f"{ENTRIES}/delete", json={"ids": [*IDS, "nobody", *IDS]}).json()
    assert (gone["deleted"], gone["missing"]) == (IDS, ["nobody"])
    assert client.post(f"{ENTRIES}/lookup", json={"ids": IDS}).json()["entries"] == []


def test_an_id_that_no_path_can_carry_is_refused(client: TestClient, store: Store) -> None:
    for identifier in (".", "..", "", "x" * 513, "é" * 257):
        answer = client.put(ENTRIES, json={"entries": [entry(id=identifier)]})
        assert answer.status_code == 422
        with pytest.raises(InvalidEntryError, match="The id"):
            Entries(store).upsert([Entry(identifier, "v1", UNIT[0])])


def test_entries_of_long_ago_are_reached_by_the_body(client: TestClient, store: Store) -> None:
    for number, identifier in enumerate((".", "..")):
        row = (identifier, 10**6 + number, "v1", UNIT[0].tobytes(), "{}", None, False, None, None, None)
        with writing(store.engine) as connection:
            now = "2026-01-01 00:00:00.000000+00:00"
            replace_rows(connection, entries_table, "id", [(*row[:7], now, None, None)])
    found = client.post(f"{ENTRIES}/lookup", json={"ids": [".", ".."]}).json()
    assert [each["id"] for each in found["entries"]] == [".", ".."]
    assert client.post(f"{ENTRIES}/delete", json={"ids": [".", ".."]}).json()["deleted"] == [".", ".."]


EDGES = [
    (b'{"id": "\xff"}', "UTF-8"),
    ('{"id": "x"}'.encode("utf-16"), "UTF-8"),
    (b'{"id": "x", "k": ' + b"9" * 5000 + b"}", "digits"),
    (b'{"id": "x", "filter": {"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}", "nested"),
    (b'{"id": "x", "filter": {"a": ' + b"[" * 500 + b"]" * 500 + b"}}", "compares"),
    (b'{"id": "x", "k": 1e400}', "k has to be"),
    (b'{"id": "x", "k": NaN}', "k has to be"),
    (b'{"id": "x", "min_seq": 9223372036854775808}', "min_seq"),
    (b'{"id": "x", "filter": {"a": {"gt": Infinity}}}', "finite"),
    (b'{"id": "x", "filter": {"a": 1e999}}', "finite"),
    (b'{"id": "x"', "line 1, column 11"),
    (b"[]", "an object"),
    (b"null", "body"),
    (b"", "body is missing"),
]


def test_bodies_at_the_edge_of_json(client: TestClient) -> None:
    client.put(ENTRIES, json={"entries": [entry()]})
    for content, words in EDGES:
        answer = client.post("/v1/search", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422, answer.text
        assert words in answer.json()["error"]["message"]
        assert len(answer.text) < 1000


def test_the_python_interface_answers_alike(store: Store) -> None:
    asks: list[Callable[[str], object]] = [
        store.versions.get,
        Entries(store).get,
        lambda text: Entries(store).get_many([text]),
        lambda text: Entries(store).delete([text]),
        lambda text: store.traffic.promote("v1", note=text),
        lambda text: Backfills(store).create(text),
        lambda text: Entries(store).upsert([Entry("x", "v1", UNIT[0], {"a": text})]),
        lambda text: Entries(store).upsert([Entry("x", "v1", UNIT[0], {}, text)]),
    ]
    for text in (NUL, HALF):
        for ask in asks:
            with pytest.raises(HoldfastError, match=r"NUL character|not valid Unicode") as raised:
                ask(text)
            assert raised.value.http_status == 422
