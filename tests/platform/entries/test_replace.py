"""Compare-and-set of vectors: a user's newer write wins, always."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.backfill import Backfills
from holdfast.base import NotFoundError
from holdfast.entries import Delete, Entries, Entry, GroupCommit, NewVector, Replace, Upsert
from holdfast.store import Store

Vectors = Callable[..., np.ndarray]


def moved(entry: Entry, vector: np.ndarray, to: str = "v2") -> NewVector:
    return NewVector(entry.id, entry.seq, to, vector.tobytes(), entry.version, "digest")


def test_a_replaced_vector_keeps_the_rest_and_says_where_it_comes_from(
    store: Store, vectors: Vectors
) -> None:
    entries, rows = Entries(store), vectors(3)
    entries.upsert([Entry("a", "v1", rows[0], {"color": "red"}, "a.png"), Entry("b", "v1", rows[1])])
    assert entries.write([Replace((moved(entries.get("a"), rows[2]),))]) == [1]
    found = entries.get("a")
    assert (found.version, found.attributes, found.source) == ("v2", {"color": "red"}, "a.png")
    assert (found.seq, found.mapped_from, found.mapped_by) == (3, "v1", "digest")
    assert np.array_equal(found.vector, rows[2])
    assert entries.changes(2).ids == ("a",)
    assert entries.count() == {"v1": 1, "v2": 1}
    # Who embeds it anew says that the vector is the version's own.
    entries.upsert([Entry("a", "v2", rows[0])])
    assert (entries.get("a").mapped_from, entries.get("a").mapped_by) == (None, None)


def test_what_was_written_or_deleted_since_stays(store: Store, vectors: Vectors) -> None:
    entries, rows = Entries(store), vectors(5)
    entries.upsert([Entry(name, "v1", rows[0]) for name in "abcd"])
    batch = Replace(tuple(moved(entries.get(name), rows[1]) for name in "abcd"))
    entries.upsert([Entry("a", "v1", rows[2])])
    entries.delete(["b"])
    entries.delete(["c"])
    entries.upsert([Entry("c", "v3", rows[3])])
    before = entries.last_seq()
    assert entries.write([batch]) == [1]
    assert entries.last_seq() == before + 1
    assert np.array_equal(entries.get("a").vector, rows[2])
    with pytest.raises(NotFoundError):
        entries.get("b")
    assert entries.get("c").version == "v3"
    assert entries.get("d").version == "v2"
    assert entries.write([batch]) == [0]
    assert entries.last_seq() == before + 1


def test_a_batch_shares_a_transaction_with_what_users_write(store: Store, vectors: Vectors) -> None:
    """Within one transaction, too, the order of the changes counts."""
    entries, rows = Entries(store), vectors(3)
    entries.upsert([Entry(name, "v1", rows[0]) for name in "ab"])
    batch = Replace(tuple(moved(entries.get(name), rows[1]) for name in "ab"))
    newer = entries.check(Upsert([Entry("a", "v1", rows[2])]))
    assert entries.write([newer, batch, Delete(("b",))]) == [3, 1, 5]
    assert np.array_equal(entries.get("a").vector, rows[2])
    assert entries.count() == {"v1": 1}


def test_a_batch_of_a_paused_backfill_changes_nothing(store: Store, vectors: Vectors) -> None:
    entries, rows = Entries(store), vectors(2)
    entries.upsert([Entry(name, "v1", rows[0]) for name in "ab"])
    name = Backfills(store).create("v2", "re-embed").name
    claim = Backfills(store).claim(name, "me")
    a, b = (Replace((moved(entries.get(each), rows[1]),), claim) for each in "ab")
    with GroupCommit(entries) as writer:
        assert writer.submit(a).result(30) == 1
        Backfills(store).pause(name)
        waiting = writer.submit(Upsert([Entry("c", "v1", rows[0])])), writer.submit(b)
        assert [future.result(30) for future in waiting] == [4, 0]
    assert entries.get("b").version == "v1"
    assert Backfills(store).get(name).done == 1


def test_a_batch_of_an_older_claim_changes_nothing(store: Store, vectors: Vectors) -> None:
    entries, rows = Entries(store), vectors(2)
    entries.upsert([Entry("a", "v1", rows[0])])
    name = Backfills(store).create("v2", "re-embed").name
    old, new = Backfills(store).claim(name, "me"), Backfills(store).claim(name, "you")
    row = moved(entries.get("a"), rows[1])
    assert entries.write([Replace((row,), old)]) == [0]
    assert entries.write([Replace((row,), new)]) == [1]


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["upsert", "delete", "read", "apply"]), st.sampled_from("abc"), st.integers(0, 7)
    ),
    max_size=30,
)


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(actions=ACTIONS)
def test_any_interleaving_loses_no_write_of_a_user(
    store: Store, vectors: Vectors, actions: list[tuple[str, str, int]]
) -> None:
    """A backfill that read entries at any moment may only replace what is still as it read it."""
    entries, rows = Entries(store), vectors(8)
    entries.delete(list("abc"))
    model: dict[str, Any] = {}
    read: dict[str, NewVector] = {}
    for action, name, row in actions:
        if action == "upsert":
            entries.upsert([Entry(name, "v1", rows[row], {"row": row})])
            model[name] = (row, "v1")
        elif action == "delete":
            entries.delete([name])
            model.pop(name, None)
        elif action == "read" and name in model:
            read[name] = moved(entries.get(name), -rows[model[name][0]])
        elif action == "apply" and read:
            current = {each.id: each.seq for chunk in entries.scan() for each in chunk}
            same = {each for each, wanted in read.items() if current.get(each) == wanted.seq}
            assert entries.write([Replace(tuple(read.values()))]) == [len(same)]
            model |= {each: (model[each][0], "v2") for each in same}
            read.clear()
    found = {each.id: each for chunk in entries.scan() for each in chunk}
    assert found.keys() == model.keys()
    for name, (row, version) in model.items():
        assert (found[name].attributes, found[name].version) == ({"row": row}, version)
        assert np.array_equal(found[name].vector, rows[row] if version == "v1" else -rows[row])


def test_concurrent_users_and_a_backfill(store: Store, vectors: Vectors) -> None:
    entries, rows = Entries(store), vectors(4)
    names = [f"e{number}" for number in range(40)]
    entries.upsert([Entry(name, "v1", rows[0], {"round": -1}) for name in names])
    last: dict[str, int | None] = dict.fromkeys(names, -1)
    done = threading.Event()

    def move() -> None:
        while not done.is_set():
            some = [each for chunk in entries.scan() for each in chunk if each.version == "v1"][:8]
            entries.write([Replace(tuple(moved(each, rows[1]) for each in some))])

    thread = threading.Thread(target=move)
    thread.start()
    try:
        for number in range(60):
            name = names[number * 7 % 40]
            if number % 5 == 4:
                entries.delete([name])
                last[name] = None
            else:
                entries.upsert([Entry(name, "v1", rows[2], {"round": number})])
                last[name] = number
    finally:
        done.set()
        thread.join(60)
    found = {each.id: each.attributes["round"] for chunk in entries.scan() for each in chunk}
    assert found == {name: number for name, number in last.items() if number is not None}
