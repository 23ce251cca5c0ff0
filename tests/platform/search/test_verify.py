from collections.abc import Callable

import numpy as np
import pytest
from sqlalchemy import update

from holdfast.entries import Entries, Entry
from holdfast.search import Gallery
from holdfast.store import Store
from holdfast.store.changes import Changes
from holdfast.store.database.schema import entries as table


def test_a_good_gallery_has_no_problems(store: Store, entry: Callable[..., Entry]) -> None:
    gallery = Gallery(store)
    gallery.upsert([entry("a", "v1"), entry("b", "v2"), entry("c", "v4"), entry("d", "v4")])
    gallery.delete(["b", "d"])
    report = gallery.verify()
    assert report.ok
    assert (report.entries, report.deleted, report.by_version) == (2, 2, {"v1": 1, "v4": 1})
    assert (report.last_seq, report.problems) == (6, [])
    assert Entries(store).verify() == report


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vector": np.ones(8, "<f4").tobytes()}, "The vector of 'b' has norm 2.828"),
        ({"vector": np.full(8, np.nan, "<f4").tobytes()}, "The vector of 'b' holds NaN"),
        ({"vector": b"1234"}, "The vector of 'b' has 4 bytes: v1 makes 32"),
        ({"attributes": [1]}, "The attributes of 'b' are no JSON object"),
    ],
)
def test_a_bad_row_is_named(
    store: Store, entry: Callable[..., Entry], change: dict[str, object], message: str
) -> None:
    entries = Entries(store)
    entries.upsert([entry(name) for name in "abc"])
    with store.engine.begin() as connection:
        connection.execute(update(table).where(table.c.id == "b").values(**change))
    report = entries.verify()
    assert not report.ok
    assert report.problem_count == len(report.problems) == 1
    assert message in report.problems[0]


def test_an_index_that_differs_is_noticed(
    store: Store, entry: Callable[..., Entry], vectors: Callable[..., np.ndarray]
) -> None:
    gallery = Gallery(store)
    gallery.upsert([entry(name, seed=number) for number, name in enumerate("abc")])
    partition = gallery._index.partition("v1")
    assert partition is not None
    partition.vectors.array()[0, 0] += 1e-6
    removal = partition.plan_removal(["b"])
    assert removal is not None
    partition.remove(removal)
    gallery._index.apply(Changes(["x"], [9], ["v2"], [vectors(1)[0].tobytes()], ["{}"]))
    report = gallery.verify()
    assert report.problem_count == 3
    assert [problem.split(" of ")[0] for problem in report.problems] == [
        "The index holds 'a'",
        "The index lacks 'b'",
        "The index holds 'x'",
    ]
    gallery.rebuild()
    assert gallery.verify().ok


def test_writes_during_the_check_are_no_problem(store: Store, entry: Callable[..., Entry]) -> None:
    gallery, other = Gallery(store), Entries(store)
    gallery.upsert([entry(name, seed=number) for number, name in enumerate("abcd")])
    verify = gallery.entries.verify

    def write_meanwhile() -> object:
        report = verify()
        other.upsert([entry("a", "v2", seed=9), entry("e")])
        other.delete(["b"])
        return report

    gallery.entries.verify = write_meanwhile  # type: ignore[method-assign,assignment]
    assert gallery.verify().problems == []


def test_only_the_first_problems_are_spelled_out(store: Store, vectors: Callable[..., np.ndarray]) -> None:
    entries = Entries(store)
    entries.upsert([Entry(f"e{n}", "v1", row) for n, row in enumerate(vectors(150))])
    with store.engine.begin() as connection:
        connection.execute(update(table).values(vector=b""))
    report = entries.verify()
    assert (report.problem_count, len(report.problems)) == (150, 100)
