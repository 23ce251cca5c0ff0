"""Stores that are away, damaged, newer, older, or served badly."""

import json
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from holdfast.adapters import ProcrustesConfig
from holdfast.doctor import Examination, Finding
from holdfast.entries import Entries, Entry, Lease
from holdfast.store import open_store
from holdfast.store.database.engine import make_engine
from holdfast.store.database.migration import HEAD
from holdfast.testing import unit_vectors

Look = Callable[..., dict[str, Finding]]


def test_a_store_in_order_is_well(examined: Callable[..., Examination]) -> None:
    found = examined()
    of_machine = {"software", "threads", "processors", "memory", "disk", "open files", "clock"}
    assert [each for each in found.findings if each.name not in of_machine and each.verdict != "ok"] == []
    assert found.left_out == ()


def test_nothing_is_made_where_there_is_no_store(
    examined: Callable[..., Examination], tmp_path: Path
) -> None:
    found = examined(tmp_path / "none")
    assert found.worst == "fail"
    assert "traffic" in found.left_out
    assert not (tmp_path / "none").exists()


def test_a_database_that_is_away_shows_no_password(look: Look, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    found = look(f"postgresql+psycopg://me:s3cret-word@127.0.0.1:{port}/gallery")
    assert found["database"].verdict == "fail"
    assert "s3cret-word" not in str(found)
    assert found["disk"].verdict in ("ok", "warn")
    assert "server" in found


@pytest.mark.parametrize(
    ("revision", "verdict", "advice"),
    [("9001", "fail", "newer than schema"), ("0010", "warn", "make a backup first")],
)
def test_another_schema_is_named_and_left_alone(
    look: Look, place: Path, revision: str, verdict: str, advice: str
) -> None:
    engine = make_engine(f"sqlite:///{place}/holdfast.db")
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{revision}'"))
    found = look()["database"]
    assert (found.verdict, advice in found.sentence) == (verdict, True)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == revision
    engine.dispose()
    assert revision != HEAD


def test_a_damaged_file(look: Look, place: Path) -> None:
    file = place / "holdfast.db"
    with open_store(place) as store, store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.seek(size // 2)
        opened.write(b"\xff" * (size // 2))
    found = look()
    assert "fail" in {found["database"].verdict, found.get("database file", found["database"]).verdict}
    file.write_bytes(b"no database" * 1000)
    assert "restore it from a backup" in look()["database"].sentence


def test_files_of_versions_that_are_gone(look: Look, place: Path) -> None:
    with open_store(place) as store:
        version = store.versions.get("v2")
    (place / "artifacts" / version.artifacts / next(iter(version.files))).unlink()
    found = look()["artifacts"]
    assert found.verdict == "fail"
    assert "v2" in found.sentence


def test_nothing_is_live(look: Look, place: Path) -> None:
    with open_store(place) as store, store.engine.begin() as connection:
        connection.execute(text("DELETE FROM traffic"))
    found = look()["traffic"]
    assert found.verdict == "warn"
    assert "holdfast promote" in found.sentence


def test_entries_that_the_live_version_may_not_search(look: Look, place: Path) -> None:
    with open_store(place) as store:
        store.traffic.promote("v1", writes=True)
        Entries(store).upsert([Entry("new", "v3", unit_vectors(1, 1, 8)[0], {})])
    left_out = look()["pairs"]
    assert left_out.verdict == "warn"
    assert "1 by v1" in left_out.sentence
    with open_store(place) as store:
        store.traffic.change(query_version="v3")
    with open_store(place) as store, store.engine.begin() as connection:
        connection.execute(text("DELETE FROM compatibility"))
        connection.execute(text("DELETE FROM entries WHERE version = 'v3'"))
    blind = look()["pairs"]
    assert blind.verdict == "fail"
    assert "holdfast bridge v1 v3" in blind.sentence


def test_an_adapter_whose_file_is_gone(look: Look, place: Path) -> None:
    rows = unit_vectors(0, 20, 8).astype(np.float32)
    with open_store(place) as store:
        row = store.adapters.register("v2", "v1", ProcrustesConfig().fit(rows, rows, 0))
    (place / "artifacts" / row.artifact).unlink()
    found = look()["adapters"]
    assert found.verdict == "fail"
    assert "fit it again" in found.sentence


def test_a_backfill_that_nobody_works_on(look: Look, place: Path) -> None:
    from holdfast.backfill import Backfills

    with open_store(place) as store:
        made = Backfills(store).create("v2", "re-embed", force=True)
        assert look()["backfills"].verdict == "ok"
        with store.engine.begin() as connection:
            hour = datetime.now(UTC) - timedelta(hours=1)
            connection.execute(text("UPDATE backfills SET created_at = :then"), {"then": hour})
    found = look()["backfills"]
    assert found.verdict == "fail"
    assert f"holdfast backfill resume {made.name}" in found.sentence


def test_a_damaged_snapshot_and_an_index_folder_that_is_a_file(look: Look, place: Path) -> None:
    from holdfast.index import IndexConfig, open_index
    from holdfast.search import Gallery

    with open_store(place) as store:
        gallery = Gallery(store, open_index(store, IndexConfig()))
        gallery.refresh()
        assert gallery.snapshot()
    assert "The newest snapshot holds" in look()["index"].sentence
    manifest = next((place / "index" / "snapshots").glob("*/manifest.json"))
    manifest.write_text("{}")
    found = look()["index"]
    assert found.verdict == "warn"
    assert manifest.exists()
    for path in sorted((place / "index").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (place / "index").rmdir()
    (place / "index").write_text("")
    assert look()["index"].verdict == "fail"


def test_an_index_that_fits_no_memory(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    from holdfast.doctor import gallery

    monkeypatch.setattr(gallery, "available_memory", lambda: (0, 10))
    found = look()["index memory"]
    assert found.verdict == "fail"
    assert "pq4" in found.sentence


def test_records_of_the_future(look: Look, place: Path) -> None:
    with open_store(place) as store, store.engine.begin() as connection:
        later = datetime.now(UTC) + timedelta(days=2)
        connection.execute(text("UPDATE traffic SET created_at = :later"), {"later": later})
    assert look()["database clock"].verdict == "warn"


def test_who_writes_is_named(look: Look, place: Path) -> None:
    with open_store(place) as store, Lease.take(store):
        assert "writes to this store" in look()["writer"].sentence


def test_keys_of_the_environment_are_never_shown(look: Look) -> None:
    good = look(HOLDFAST_API_KEYS="admin:very-secret-word")["keys"]
    assert good.verdict == "ok"
    assert "very-secret" not in good.sentence
    assert look(HOLDFAST_API_KEYS="read:very-secret-word")["keys"].verdict == "warn"
    wrong = look(HOLDFAST_API_KEYS="very-secret-word")["keys"]
    assert wrong.verdict == "fail"
    assert "very-secret" not in wrong.sentence


@pytest.mark.parametrize(("left", "said"), [(-1, "Expired: the app"), (3, "expire soon: the app on")])
def test_a_key_that_expired_or_will(look: Look, place: Path, left: int, said: str) -> None:
    with open_store(place) as store:
        store.keys.create("admin", "the app", datetime.now(UTC) + timedelta(days=30))
    with open_store(place) as store, store.engine.begin() as connection:
        end = datetime.now(UTC) + timedelta(days=left)
        connection.execute(text("UPDATE keys SET expires_at = :end"), {"end": end})
    found = look()["keys"]
    assert found.verdict == "warn"
    assert said in found.sentence


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ({"ready": True, "seq": 5, "faults": {}}, "ok"),
        ({"ready": False, "reason": "no version is live yet"}, "fail"),
        ({"ready": True, "seq": 5, "faults": {"v2": "model_changed"}}, "fail"),
        ({"ready": True, "seq": 5, "away": ["database"]}, "fail"),
        ({"hello": "world"}, "warn"),
    ],
)
def test_what_answers_at_the_server_s_address(place: Path, answer: dict[str, object], verdict: str) -> None:
    from holdfast.doctor import Patient
    from holdfast.doctor.server import server

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if answer.get("ready") else 503)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.handle_request, daemon=True).start()
        said = server(Patient(str(place), None, f"http://127.0.0.1:{listening.server_port}", {}))
    assert said.verdict == verdict


def test_a_cluster_that_is_none(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        found = look(RAY_ADDRESS=address)["cluster"]
    assert found.verdict == "fail"
    assert "start one, or unset RAY_ADDRESS" in found.sentence


def test_a_cluster_of_another_ray(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    from holdfast.jobs import cluster

    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    monkeypatch.setattr(cluster, "cluster_address", lambda: "head:6379")
    monkeypatch.setattr(cluster, "_ask", lambda address: {"ray_version": "1.0.0"})
    found = look(RAY_ADDRESS="head:6379")["cluster"]
    assert found.verdict == "fail"
    assert "runs Ray 1.0.0" in found.sentence


def test_what_hangs_or_breaks_keeps_nothing_else_from_being_looked_at(
    examined: Callable[..., Examination], monkeypatch: pytest.MonkeyPatch
) -> None:
    from holdfast.doctor import examination
    from holdfast.doctor.checks import Check, ok

    def breaks(patient: object) -> object:
        raise KeyError("a defect")

    checks = (
        Check("hangs", lambda patient: threading.Event().wait() or ok("")),
        Check("breaks", breaks),
        Check("works", lambda patient: ok("")),
    )
    found = list(examination._made(checks, None, 0.2))
    assert [each.verdict for each in found] == ["fail", "warn", "ok"]
