from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from holdfast.base import ConfigError, TooLargeError
from holdfast.entries import Entry
from holdfast.index import IndexConfig, LocalIndex
from holdfast.search import Cut, Gallery
from holdfast.store import Store

sqlite = pytest.mark.parametrize("place", ["sqlite"], indirect=True)


@pytest.fixture
def query(vectors: Callable[..., np.ndarray]) -> np.ndarray:
    return vectors(1, seed=99)[0]


def expected(
    ranked: list[tuple[str, Any]], k: int, size: int
) -> tuple[list[tuple[Any, list[str]]], set[str]]:
    """Groups by the plainest loop over all entries, best first."""
    groups: dict[tuple[type, Any], list[str]] = {}
    for name, value in ranked:
        for each in value if isinstance(value, list) else [value]:
            key = (type(each), each)
            if each is None or (key not in groups and len(groups) == k):
                continue
            ids = groups.setdefault(key, [])
            if len(ids) < size and name not in ids:
                ids.append(name)
    return [(value, ids) for (_, value), ids in groups.items()], {
        each for ids in groups.values() for each in ids
    }


@sqlite
@pytest.mark.parametrize("listed", [False, True])
def test_groups_are_those_that_there_are_however_large_the_first_one_is(
    store: Store, vectors: Callable[..., np.ndarray], query: np.ndarray, listed: bool
) -> None:
    """Nine in ten entries are of one group, and all of these are nearest to the query."""
    gallery = Gallery(store)
    generator = np.random.default_rng(0)
    rows = vectors(400)
    rows = rows[np.argsort(-(rows @ query))]
    values: list[Any] = ["large"] * 360 + [
        [True, 1, "1", "rare", None, "other", 7][n] for n in generator.integers(0, 7, 40)
    ]
    if listed:
        values = [[value, f"n{n % 30}"] if value and n % 3 else value for n, value in enumerate(values)]
    gallery.upsert(
        [
            Entry(f"e{n:03}", "v1", row, {} if value is None else {"kind": value})
            for n, (row, value) in enumerate(zip(rows, values, strict=True))
        ]
    )
    scores = rows @ query
    ranked = [(f"e{n:03}", values[n]) for n in np.argsort(-scores, kind="stable")]
    for k, size in ((1, 1), (3, 2), (6, 4), (100, 3), (30, 10)):
        found = gallery.search(query, "v1", k, cut=Cut(group_by="kind", group_size=size))
        groups, ids = expected(ranked, k, size)
        assert found.groups is not None
        assert [(group.value, list(group.ids)) for group in found.groups] == groups
        assert [hit.id for hit in found.hits] == [name for name, _ in ranked if name in ids]
    first = ranked[0][0]
    without = gallery.search(query, "v1", 2, leave_out=first, cut=Cut(group_by="kind", group_size=2))
    assert without.groups is not None
    assert [list(group.ids) for group in without.groups] == [ids for _, ids in expected(ranked[1:], 2, 2)[0]]


@sqlite
def test_hits_below_the_threshold_are_no_answer(
    store: Store, entry: Callable[..., Entry], query: np.ndarray
) -> None:
    gallery = Gallery(store)
    gallery.upsert([entry(f"e{n}", seed=n, odd=n % 2) for n in range(20)])
    ranked = gallery.search(query, "v1", 20).hits
    least = ranked[4].calibrated
    assert gallery.search(query, "v1", 20, cut=Cut(least)).hits == ranked[:5]
    assert gallery.search(query, "v1", 3, cut=Cut(least)).hits == ranked[:3]
    assert gallery.search(query, "v1", 3, cut=Cut(2.0)).hits == []
    grouped = gallery.search(query, "v1", 2, cut=Cut(least, "odd", 20))
    assert grouped.hits == ranked[:5]
    none = gallery.search(query, "v1", 2, cut=Cut(2.0, "odd"))
    assert (none.hits, none.groups) == ([], ())


@sqlite
def test_groups_that_no_search_answers_are_refused(store: Store, query: np.ndarray) -> None:
    gallery = Gallery(store)
    for k, size in ((101, 1), (100, 11)):
        with pytest.raises(TooLargeError, match="100 groups and 1,000 entries"):
            gallery.search(query, "v1", k, cut=Cut(group_by="kind", group_size=size))
    with pytest.raises(ConfigError, match="group_size is 0"):
        gallery.search(query, "v1", cut=Cut(group_by="kind", group_size=0))
    assert gallery.search(query, "v1", cut=Cut(group_by="kind")).groups == ()


@sqlite
def test_a_quantized_index_finds_every_group(store: Store, vectors: Callable[..., np.ndarray]) -> None:
    gallery = Gallery(store, LocalIndex(IndexConfig(kind="quantized", lists=16)))
    rows = vectors(3000)
    gallery.upsert([Entry(f"e{n}", "v1", row, {"kind": n % 1000 // 990}) for n, row in enumerate(rows)])
    gallery.upsert([Entry(f"x{n}", "v1", row, {"kind": f"k{n}"}) for n, row in enumerate(vectors(8, seed=5))])
    gallery.settle()
    found = gallery.search(rows[0], "v1", 50, cut=Cut(group_by="kind", group_size=2))
    assert found.groups is not None
    assert {group.value for group in found.groups} == {0, 1, *(f"k{n}" for n in range(8))}
    assert sorted(len(group.ids) for group in found.groups) == [1] * 8 + [2, 2]
