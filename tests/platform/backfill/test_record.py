"""The record of a backfill: who may start one, who works on it, what it counts."""

from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import update

from holdfast.adapters import LinearAdapter
from holdfast.backfill.record import CLAIM_SECONDS, Backfills
from holdfast.base import ConfigError, ConflictError, DataError, IncompatibleError, NotFoundError
from holdfast.entries import Entries, Entry, NewVector, Replace
from holdfast.store import Compatibility, Store
from holdfast.store.database.schema import backfills

ROWS = np.eye(8, dtype=np.float32)


@pytest.fixture
def filled(store: Store) -> Store:
    """v1 <- v2 <- v3; three entries of v1 and two of v2."""
    entries = [Entry(f"e{n}", "v1" if n < 3 else "v2", ROWS[n]) for n in range(5)]
    Entries(store).upsert(entries)
    return store


def verdict(query: str, gallery: str, adapter: str | None = None) -> Compatibility:
    return Compatibility(query, gallery, 0.7, 0.6, 0.05, 0.15, True, "evaluation-1", adapter=adapter)


def adapt(store: Store, query: str, gallery: str) -> None:
    row = store.adapters.register(query, gallery, LinearAdapter.of(np.eye(8)))
    store.compatibility.record([verdict(query, gallery, row.digest)])


def move(store: Store, claim: object, *names: str) -> int:
    found = [Entries(store).get(name) for name in names]
    rows = tuple(NewVector(each.id, each.seq, "v3", each.vector.tobytes()) for each in found)
    return Entries(store).write([Replace(rows, claim)])[0]  # type: ignore[arg-type]


def test_a_new_one_covers_the_entries_that_there_are(filled: Store) -> None:
    made = Backfills(filled).create("v3", "re-embed")
    assert (made.name, made.status, made.sources, made.total, made.left) == (
        "b1",
        "running",
        ["v1", "v2"],
        5,
        5,
    )
    assert Backfills(filled).get("b1") == made == Backfills(filled).list()[0]
    assert Backfills(filled).unattended() == [made]
    assert filled.counters()["backfills"] == 1


@pytest.mark.parametrize(
    ("target", "options", "error", "words"),
    [
        ("v9", {}, NotFoundError, ["v9", "v1"]),
        ("v3", {"sources": ["v8"]}, NotFoundError, ["v8"]),
        ("live", {}, NotFoundError, ["live"]),
        ("v3", {"sources": ["v3"]}, ConfigError, ["v3", "no backfill"]),
        ("v3", {"kind": "guess"}, ConfigError, ["guess", "map", "re-embed"]),
        ("v3", {"order": "best"}, ConfigError, ["best", "gain", "random", "oldest"]),
        ("v3", {"batch_size": 0}, ConfigError, ["batch_size", "1"]),
        ("v3", {"pace": float("nan")}, ConfigError, ["pace"]),
        ("v3", {"workers": -1}, ConfigError, ["workers"]),
        ("v3", {"kind": "map"}, IncompatibleError, ["adapter", "v1 and v2", "v3"]),
    ],
)
def test_refusals(
    filled: Store, target: str, options: dict, error: type[Exception], words: list[str]
) -> None:
    with pytest.raises(error) as caught:
        Backfills(filled).create(target, **{"kind": "re-embed", **options})
    assert all(word in str(caught.value) for word in words)
    assert Backfills(filled).list() == []


def test_nothing_to_move_is_refused(store: Store) -> None:
    with pytest.raises(DataError, match="versions other than v3"):
        Backfills(store).create("v3", "re-embed")
    Entries(store).upsert([Entry("a", "v1", ROWS[0])])
    with pytest.raises(DataError, match="no entry of v2"):
        Backfills(store).create("v3", "re-embed", ["v2"])


def test_entries_stay_in_reach_of_who_answers_queries_and_of_who_did(filled: Store) -> None:
    filled.traffic.promote("v1", force=True)
    with pytest.raises(
        IncompatibleError, match=r"live version .* v1 was never measured against entries of v3"
    ):
        Backfills(filled).create("v3", "re-embed")
    filled.traffic.promote("v3", force=True)
    with pytest.raises(IncompatibleError, match="previous version"):
        Backfills(filled).create("live", "re-embed")
    assert Backfills(filled).create("live", "re-embed", force=True).forced
    Backfills(filled).cancel("b1")
    filled.compatibility.record([verdict("v1", "v3")])
    assert not Backfills(filled).create("live", "re-embed").forced


def test_a_map_needs_adapters_that_were_measured(filled: Store) -> None:
    adapt(filled, "v3", "v1")
    with pytest.raises(IncompatibleError, match=r"maps entries of v2 to v3"):
        Backfills(filled).create("v3")
    assert Backfills(filled).create("v3", sources=["v1"]).total == 3
    filled.adapters.register("v3", "v2", LinearAdapter.of(np.eye(8)))
    with pytest.raises(IncompatibleError, match="never measured"):
        Backfills(filled).create("v3", sources=["v2"])
    assert Backfills(filled).create("v3", sources=["v2"], force=True).forced


def test_an_adapter_that_maps_queries_moves_no_entries(filled: Store) -> None:
    filled.adapters.register("v3", "v1", LinearAdapter.of(np.eye(8)), maps="queries")
    with pytest.raises(IncompatibleError, match="No adapter maps entries of v1"):
        Backfills(filled).create("v3", sources=["v1"])


def test_two_do_not_move_the_same_entries(filled: Store) -> None:
    Backfills(filled).create("v3", "re-embed", ["v1"])
    with pytest.raises(ConflictError, match=r"b1 \(running\).*v1"):
        Backfills(filled).create("v2", "re-embed", ["v1"])
    assert Backfills(filled).create("v3", "re-embed", ["v2"]).name == "b2"
    Backfills(filled).cancel("b1")
    assert Backfills(filled).create("v2", "re-embed", ["v1"]).name == "b3"


def test_moved_skipped_and_left_are_all_there_was(filled: Store) -> None:
    name = Backfills(filled).create("v3", "re-embed").name
    claim = Backfills(filled).claim(name, "me")
    assert move(filled, claim, "e0", "e1") == 2
    Backfills(filled).skip(claim, [("e2", "not found")])
    found = Backfills(filled).get(name)
    assert (found.done, found.skipped, found.examples, found.left) == (
        2,
        {"not found": 1},
        ["e2: not found"],
        2,
    )
    Entries(filled).delete(["e3"])
    Entries(filled).upsert([Entry("e9", "v1", ROWS[0])])  # written later: not its business
    # Whoever takes over counts from the entries, and tries again what could not be moved.
    again = Backfills(filled).claim(name, "you")
    found = Backfills(filled).get(name)
    assert (found.done, found.skipped, found.left, found.owner) == (2, {"changed": 1}, 2, "you")
    assert move(filled, claim, "e4") == 0
    assert move(filled, again, "e2", "e4") == 2
    Entries(filled).delete(["e0"])  # moved before it was deleted
    Backfills(filled).finish(claim)
    assert Backfills(filled).get(name).status == "running"
    Backfills(filled).finish(again)
    found = Backfills(filled).get(name)
    assert (found.status, found.done, found.skipped, found.left) == ("done", 4, {"changed": 1}, 0)
    assert found.owner is None
    assert found.finished_at is not None


def test_pause_resume_and_cancel(filled: Store) -> None:
    backfills_ = Backfills(filled)
    name = backfills_.create("v3", "re-embed").name
    claim = backfills_.claim(name, "me")
    assert backfills_.holds(claim)
    assert backfills_.unattended() == []
    assert backfills_.pause(name).status == "paused"
    assert not backfills_.holds(claim)
    assert not backfills_.heartbeat(claim)
    with pytest.raises(ConflictError, match="paused: resume"):
        backfills_.claim(name, "me")
    assert backfills_.resume(name).status == "running"
    assert [each.name for each in backfills_.unattended()] == [name]
    backfills_.finish(backfills_.claim(name, "me"), "The adapter is damaged.")
    failed = backfills_.get(name)
    assert (failed.status, failed.error) == ("failed", "The adapter is damaged.")
    assert backfills_.resume(name).status == "running"
    assert backfills_.cancel(name).status == "cancelled"
    assert backfills_.cancel(name).status == "cancelled"
    with pytest.raises(ConflictError, match="cancelled, and so cannot be resumed"):
        backfills_.resume(name)
    with pytest.raises(NotFoundError, match="b1"):
        backfills_.pause("b7")
    with pytest.raises(NotFoundError):
        backfills_.get("b99999999999999999999")


def test_a_worker_that_is_not_heard_of_is_followed_by_another(filled: Store) -> None:
    name = Backfills(filled).create("v3", "re-embed").name
    claim = Backfills(filled).claim(name, "me")
    assert Backfills(filled).heartbeat(claim)
    assert Backfills(filled).unattended() == []
    seen = Backfills(filled).get(name).seen_at
    assert seen is not None
    with filled.engine.begin() as connection:
        connection.execute(update(backfills).values(seen_at=seen - timedelta(seconds=CLAIM_SECONDS + 1)))
    assert [each.name for each in Backfills(filled).unattended()] == [name]
    Backfills(filled).heartbeat(claim)
    assert Backfills(filled).unattended() == []
    Backfills(filled).release(claim)
    assert [each.name for each in Backfills(filled).unattended()] == [name]
