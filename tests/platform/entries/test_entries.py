import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from holdfast.base import HoldfastError, InvalidVectorError, NotFoundError
from holdfast.entries import Delete, Entries, Entry, InvalidEntryError, Upsert
from holdfast.store import Store


def test_an_entry_comes_back_as_it_was(store: Store, entry: Callable[..., Entry]) -> None:
    entries = Entries(store)
    given = replace(entry("ä/1", name="Zoë", price=1.5, count=3, ok=True), source="s3://x")
    seq = entries.upsert([given])
    found = entries.get("ä/1")
    assert (found.id, found.version, found.source, found.seq) == ("ä/1", "v1", "s3://x", seq)
    assert np.array_equal(found.vector, given.vector)
    assert found.vector.dtype == np.float32
    assert found.attributes == {"name": "Zoë", "price": 1.5, "count": 3, "ok": True}
    assert [type(value) for value in found.attributes.values()] == [str, float, int, bool]


def test_an_upsert_replaces_all_of_an_entry(store: Store, entry: Callable[..., Entry]) -> None:
    entries = Entries(store)
    first = entries.upsert([replace(entry("a", color="red"), source="x"), entry("b")])
    second = entries.upsert([entry("a", "v2", seed=1)])
    found = entries.get("a")
    assert (found.version, found.attributes, found.source) == ("v2", {}, None)
    assert found.seq == second > first
    assert entries.count() == {"v1": 1, "v2": 1}


def test_every_written_entry_gets_its_own_number(store: Store, entry: Callable[..., Entry]) -> None:
    entries = Entries(store)
    assert entries.last_seq() == 0
    last = entries.upsert([entry("a"), entry("b"), entry("c")])
    assert [entries.get(name).seq for name in "abc"] == [last - 2, last - 1, last]
    # Of an id that comes twice, the later one stays.
    last = entries.upsert([entry("a", seed=1), entry("a", seed=2)])
    assert entries.get("a").seq == last == entries.last_seq()
    assert np.array_equal(entries.get("a").vector, entry("a", seed=2).vector)


def test_a_deleted_entry_is_gone_and_leaves_a_tombstone(store: Store, entry: Callable[..., Entry]) -> None:
    entries = Entries(store)
    before = entries.upsert([entry("a"), entry("b")])
    after = entries.delete(["a", "missing", "a"])
    assert after == before + 1
    with pytest.raises(NotFoundError, match="no entry 'a'"):
        entries.get("a")
    assert entries.count() == {"v1": 1}
    changes = entries.changes(before)
    assert (changes.ids, changes.vectors) == (("a",), (None,))
    assert entries.delete(["a", "missing"]) == after
    assert entries.upsert([entry("a")]) == after + 1
    assert entries.get("a").seq == after + 1


def test_many_are_deleted_at_once(store: Store, entry: Callable[..., Entry]) -> None:
    entries = Entries(store)
    entries.upsert([entry(str(number)) for number in range(1200)])
    last = entries.delete([str(number) for number in range(1100)])
    assert last == 2300
    assert entries.count() == {"v1": 100}


def test_nothing_to_write_is_no_error(store: Store, entry: Callable[..., Entry]) -> None:
    entries = Entries(store)
    seq = entries.upsert([entry("a")])
    assert entries.upsert([]) == seq
    assert entries.delete([]) == seq


@pytest.mark.parametrize(
    ("version", "error", "message"),
    [
        ("v9", NotFoundError, "no version 'v9': the store holds v1, v2, v3, v4"),
        ("live", NotFoundError, "no version 'live'"),
        ("", NotFoundError, "no version ''"),
    ],
)
def test_an_unknown_version_is_refused(
    store: Store, entry: Callable[..., Entry], version: str, error: type[HoldfastError], message: str
) -> None:
    with pytest.raises(error, match=message):
        Entries(store).upsert([replace(entry("a"), version=version)])


def test_an_alias_is_no_version_of_an_entry(store: Store, entry: Callable[..., Entry]) -> None:
    store.traffic.promote("v1")
    with pytest.raises(NotFoundError, match="'live' is an alias"):
        Entries(store).upsert([replace(entry("a"), version="live")])


def test_a_version_published_later_is_known(store: Store, entry: Callable[..., Entry]) -> None:
    entries = Entries(store)
    entries.upsert([entry("a")])
    with store.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO versions SELECT 5, 'v5', parent, 'b', attempt, task, contract, contract_body, "
            "dimension, experiment, data_fingerprint, metrics, artifacts, files, created_at, kind, takes, "
            "base, retired_at FROM versions WHERE name = 'v1'"
        )
    entries.upsert([replace(entry("b"), version="v5")])
    assert entries.count() == {"v1": 1, "v5": 1}


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        (np.ones(8, np.float32), "norm 2.828"),
        (np.zeros(8, np.float32), "norm 0"),
        (np.full(8, np.nan, np.float32), "NaN or infinity"),
        (np.array([np.inf, 0, 0, 0, 0, 0, 0, 0], np.float32), "NaN or infinity"),
        (np.array([1e200, 0, 0, 0, 0, 0, 0, 0]), "NaN or infinity"),
        (np.eye(1, 9, dtype=np.float32)[0], r"shape \(9,\): v1 makes \(8,\)"),
        (np.eye(1, 8, dtype=np.float32), r"shape \(1, 8\)"),
        ("not a vector", "not a list of numbers"),
        ([1, 0, 0, 0, 0, 0, 0, "x"], "not a list of numbers"),
        ([[1], [0, 0]], "not a list of numbers"),
        (None, "not a list of numbers"),
    ],
)
def test_a_bad_vector_is_refused_by_name_and_nothing_is_written(
    store: Store, entry: Callable[..., Entry], vector: object, message: str
) -> None:
    entries = Entries(store)
    with pytest.raises(InvalidVectorError, match=f"'bad'.*{message}"):
        entries.upsert([entry("good"), replace(entry("bad"), vector=vector)])
    assert entries.count() == {}


def test_a_vector_may_be_any_row_of_numbers(store: Store, entry: Callable[..., Entry]) -> None:
    entries = Entries(store)
    entries.upsert(
        [
            replace(entry("list"), vector=[0, 1, 0, 0, 0, 0, 0, 0]),
            replace(entry("double"), vector=np.eye(8)[1]),
            replace(entry("view"), vector=np.eye(8, dtype=np.float32)[:, 1]),
            replace(entry("nearly"), vector=np.eye(8, dtype=np.float32)[1] * 1.0005),
        ]
    )
    assert np.array_equal(entries.get("list").vector, np.eye(8, dtype=np.float32)[1])
    assert np.array_equal(entries.get("double").vector, entries.get("view").vector)


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_rows_of_a_data_frame_can_be_attributes(store: Store, entry: Callable[..., Entry]) -> None:
    """A null is as if the key were not there, and NumPy's values are Python's."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "count": pandas.array([3, None], dtype="Int64"),
            "price": np.array([1.5, np.nan], np.float32),
            "name": ["x", None],
            "when": [None, pandas.NaT],
            "flag": np.array([True, False]),
        }
    )
    rows = frame.astype({"price": object}).to_dict("records")
    rows[0]["price"], rows[0]["small"] = np.float32(1.5), np.int8(7)
    entries = Entries(store)
    entries.upsert([entry(name, **row) for name, row in zip("ab", rows, strict=True)])
    found = [entries.get(name).attributes for name in "ab"]
    assert found == [{"count": 3, "price": 1.5, "name": "x", "flag": True, "small": 7}, {"flag": False}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": ""}, "has 0 bytes"),
        ({"id": "ä" * 300}, "has 600 bytes"),
        ({"id": 7}, "7 is not a string"),
        ({"id": "a\0b"}, "NUL"),
        ({"id": "\udc80"}, "not valid Unicode"),
        ({"attributes": ["color"]}, "not an object"),
        ({"attributes": {"color": b"red"}}, "'color' of 'bad' is b'red'"),
        ({"attributes": {"color": [["red"]]}}, "'color'"),
        ({"attributes": {"price": float("inf")}}, "'price'"),
        ({"attributes": {"price": 2**53 + 1}}, "'price'"),
        ({"attributes": {"": 1}}, "not named by a string"),
        ({"attributes": {7: 1}}, "not named by a string"),
        ({"attributes": {"text": "\udc80"}}, "not valid Unicode"),
        ({"attributes": {"text": "x" * 20_000}}, "over 16384 bytes"),
        ({"attributes": {str(number): number for number in range(65)}}, "has 65 attributes"),
        ({"source": 5}, "source of 'bad'"),
        ({"source": "a\0"}, "source of 'bad'"),
    ],
)
def test_what_cannot_be_stored_is_refused_by_name(
    store: Store, entry: Callable[..., Entry], change: dict[str, object], message: str
) -> None:
    entries = Entries(store)
    with pytest.raises(InvalidEntryError, match=message):
        entries.upsert([entry("good"), replace(entry("bad"), **change)])
    assert entries.count() == {}


def test_changes_come_in_order_and_in_chunks(store: Store, entry: Callable[..., Entry]) -> None:
    entries = Entries(store)
    entries.upsert([entry(str(number), number=number) for number in range(25)])
    seen: list[str] = []
    since = 0
    while len(changes := entries.changes(since, limit=7)):
        assert list(changes.seqs) == sorted(changes.seqs)
        seen += changes.ids
        since = changes.seqs[-1]
    assert seen == [str(number) for number in range(25)]
    assert changes.seqs == ()
    assert entries.changes(24).attributes == ('{"number":24}',)


def test_a_fence_that_refuses_undoes_everything(store: Store, entry: Callable[..., Entry]) -> None:
    entries = Entries(store)
    entries.upsert([entry("a")])

    def fence(connection: object) -> None:
        raise RuntimeError("the lease is lost")

    with pytest.raises(RuntimeError, match="lease"):
        entries.write([entries.check(Upsert([entry("b")])), Delete(("a",))], fence)
    assert entries.count() == {"v1": 1}
    assert entries.last_seq() == 1


def test_several_changes_in_one_transaction_keep_their_order(
    store: Store, entry: Callable[..., Entry]
) -> None:
    entries = Entries(store)
    numbers = entries.write(
        [
            entries.check(Upsert([entry("a"), entry("b")])),
            entries.check(Upsert([entry("c")])),
            Delete(("a", "c")),
            Delete(("nothing",)),
            entries.check(Upsert([entry("a", seed=1)])),
            entries.check(Upsert([])),
        ]
    )
    assert numbers == [2, 3, 5, 5, 6, 6]
    assert entries.count() == {"v1": 2}
    assert entries.get("a").seq == 6


def test_bulk_upserts_are_fast(store: Store, vectors: Callable[..., np.ndarray]) -> None:
    entries = Entries(store)
    rows = vectors(4000)
    batch = [Entry(f"e{number}", "v1", rows[number], {"number": number}) for number in range(len(rows))]
    started = time.perf_counter()
    for start in range(0, len(batch), 1000):
        entries.upsert(batch[start : start + 1000])
    # 30,000/s on an idle machine: this catches a return to row by row, not a busy machine.
    assert len(batch) / (time.perf_counter() - started) > 1000
