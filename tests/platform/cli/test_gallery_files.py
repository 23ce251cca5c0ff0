"""What the gallery's verbs say about what they did not keep, and about what is wrong."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from holdfast.entries import Entries
from holdfast.store import open_store

Holdfast = Any


@pytest.fixture
def file(learned: Path, tmp_path: Path) -> Path:
    with open_store(learned) as store:
        dimension = store.versions.get("v1").dimension
    vectors = np.eye(4, dimension, dtype=np.float32)
    table = pa.table(
        {
            "sample_id": ["a", "b", "a", "c"],
            "version": ["v1"] * 4,
            "vector": list(vectors),
            "label": ["cat", None, "dog", "cat"],
            "price": [1.5, float("nan"), None, 2.0],
            "taken": pa.array([0, 1, 2, 3], pa.timestamp("s")),
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    return tmp_path / "in.parquet"


def test_an_import_says_what_it_kept_and_what_not(holdfast: Holdfast, learned: Path, file: Path) -> None:
    before = holdfast("gallery", "stats", "--store", learned, "--json").json["total"]
    said = holdfast("gallery", "import", file, "--store", learned).err
    for part in (
        "3 entries imported",
        "1 of 4 rows have an id that comes again ('a')",
        "became attributes: label, price",
        "taken (timestamp[ms]",
        "label in 1, price in 2",
    ):
        assert part in said
    told = holdfast("gallery", "import", file, "--store", learned, "--attribute", "label", "--json").json
    assert (told["upserted"], told["rows"], told["repeated"], told["repeated_ids"]) == (3, 4, 1, ["a"])
    assert told["left_out"] == {
        "price": "not asked for",
        "taken": "timestamp[ms]: an attribute is a string, a number, a bool or a list of these",
    }
    assert holdfast("gallery", "stats", "--store", learned, "--json").json["total"] == before + 3


def test_a_gallery_of_others_comes_in_by_version(holdfast: Holdfast, learned: Path, tmp_path: Path) -> None:
    vectors = np.eye(5, 16, dtype=np.float32)
    vectors[3] = 0
    np.save(tmp_path / "x.npy", vectors)
    table = pa.table({"name": list("abcde"), "label": ["cat"] * 5, "when": pa.array([0] * 5, pa.date32())})
    pq.write_table(table, tmp_path / "ids.parquet")
    options = (
        "--version",
        "v1",
        "--ids",
        tmp_path / "ids.parquet",
        "--id",
        "name",
        "--source",
        "/p/{name}.jpg",
    )
    said = holdfast("gallery", "import", tmp_path / "x.npy", *options, "--store", learned).err
    for part in (
        "4 of 5 rows are entries (4 new",
        "a vector of zeros: 1 ('d')",
        "became attributes: label",
        "when",
    ):
        assert part in said
    told = holdfast("gallery", "import", tmp_path / "x.npy", *options, "--store", learned, "--json").json
    assert (told["new"], told["unchanged"], told["refused"]) == (0, 4, {"a vector of zeros": 1})
    with open_store(learned) as store:
        assert Entries(store).get("b").source == "/p/b.jpg"


def test_what_can_be_no_entry_at_all_is_a_failure(holdfast: Holdfast, learned: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((3, 16), np.float32))
    command = ("gallery", "import", tmp_path / "x.npy", "--row-numbers", "--store", learned)
    done = holdfast(*command, "--version", "v1")
    assert (done.code, "0 of 3 rows are entries" in done.err) == (1, True)
    assert "say with --version whose vectors they are" in holdfast(*command).sentence


def test_verify_names_a_damaged_snapshot(holdfast: Holdfast, learned: Path, file: Path) -> None:
    holdfast("gallery", "import", file, "--store", learned)
    holdfast("gallery", "snapshot", "--store", learned)
    good = holdfast("gallery", "verify", "--store", learned)
    assert (good.code, "was compared" in good.out) == (0, True)
    (vectors,) = (learned / "index" / "snapshots").glob("*/v1.vectors.vectors")
    vectors.write_bytes(bytes(vectors.stat().st_size))
    bad = holdfast("gallery", "verify", "--store", learned)
    assert bad.code == 1
    assert "v1.vectors.vectors" in bad.out
    assert vectors.exists()


@pytest.fixture
def server() -> Iterator[str]:
    """Answers as a server whose index lacks an entry, to the key `right`."""
    found = {"ok": False, "index": "exact", "seq": 7, "problem_count": 1, "problems": ["It lacks 'a'."]}

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            right = self.headers["Authorization"] == "Bearer right" and self.path == "/v1/gallery/verify"
            self.send_response(200 if right else 401)
            self.end_headers()
            self.wfile.write(json.dumps(found if right else {"error": "no such key"}).encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_verify_asks_a_server(
    holdfast: Holdfast, learned: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = "gallery", "verify", "--store", learned, "--server"
    monkeypatch.delenv("HOLDFAST_API_KEY", raising=False)
    assert "HOLDFAST_API_KEY" in holdfast(*asked, server).sentence
    assert "http://" in holdfast(*asked, "127.0.0.1:8000").sentence
    monkeypatch.setenv("HOLDFAST_API_KEY", "wrong")
    assert "answered 401" in holdfast(*asked, server).sentence
    assert "did not answer" in holdfast(*asked, "http://127.0.0.1:9").sentence
    monkeypatch.setenv("HOLDFAST_API_KEY", "right")
    found = holdfast(*asked, server)
    assert found.code == 1
    assert f"The index of {server}: It lacks 'a'." in found.out


def test_vectors_are_adopted_as_they_come_in(
    holdfast: Holdfast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the file says of the dimension: lists of one size, lists of any, bytes."""
    rows = np.eye(3, dtype=np.float32)
    columns = {
        "fixed": pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), 3),
        "lists": pa.array([None, *rows[1:].tolist()], pa.list_(pa.float32())),
        "bytes": pa.array([row.tobytes() for row in rows]),
    }
    monkeypatch.chdir(tmp_path)
    for name, column in columns.items():
        pq.write_table(pa.table({"id": ["a", "b", "c"], "vector": column}), f"{name}.parquet")
        arguments = ["--version", name, "--made-by", f"acme/{name}"]
        holdfast("gallery", "import", f"{name}.parquet", *arguments)
    with open_store("holdfast-store") as store:
        assert [(each.run, each.dimension) for each in store.versions.list()] == [
            ("fixed", 3),
            ("lists", 3),
            ("bytes", 3),
        ]
