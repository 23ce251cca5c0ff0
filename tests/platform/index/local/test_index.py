import json
from collections.abc import Callable

import numpy as np

from holdfast.filters import parse_filter
from holdfast.index.local import LocalIndex
from holdfast.store.changes import Changes


def _changes(rows: list[tuple[str, str, np.ndarray | None, dict[str, object]]], since: int = 0) -> Changes:
    return Changes(
        [row[0] for row in rows],
        list(range(since + 1, since + 1 + len(rows))),
        [row[1] for row in rows],
        [None if row[2] is None else row[2].astype("<f4").tobytes() for row in rows],
        [json.dumps(row[3]) for row in rows],
    )


def test_an_upsert_of_an_id_does_not_keep_both(vectors: Callable[..., np.ndarray]) -> None:
    rows = vectors(3)
    index = LocalIndex()
    index.apply(_changes([("a", "v1", rows[0], {"new": False, "old": 1}), ("b", "v1", rows[1], {})]))
    index.apply(_changes([("a", "v1", rows[2], {"new": True})], 2))
    found = index.search(rows[2], 10, ["v1"])
    assert found[0].id == "a"
    assert sorted(hit.id for hit in found) == ["a", "b"]
    assert found[0].attributes == {"new": True}
    for raw, ids in (({"new": True}, ["a"]), ({"new": False}, []), ({"old": 1}, [])):
        assert [hit.id for hit in index.search(rows[2], 10, ["v1"], parse_filter(raw))] == ids
    assert index.count() == {"v1": 2}


def test_an_entry_that_is_embedded_anew_moves_to_its_new_version(vectors: Callable[..., np.ndarray]) -> None:
    rows = vectors(3)
    index = LocalIndex()
    index.apply(_changes([("a", "v1", rows[0], {}), ("b", "v1", rows[1], {})]))
    index.apply(_changes([("a", "v2", rows[2], {})], 2))
    assert index.count() == {"v1": 1, "v2": 1}
    best = index.search(rows[2], 10, ["v1", "v2"])[0]
    assert (best.id, best.embedded_by) == ("a", "v2")
    index.apply(_changes([("a", "v2", None, {}), ("b", "v1", None, {})], 3))
    assert index.versions() == []
    assert index.search(rows[0], 10, ["v1", "v2"]) == []


def test_what_entries_leave_behind_is_cleaned_up_though_none_come(
    vectors: Callable[..., np.ndarray],
) -> None:
    rows, text = vectors(3000), "x" * 1000
    index = LocalIndex()
    index.apply(_changes([(f"e{n}", "v1", row, {"n": n, "text": text}) for n, row in enumerate(rows)]))
    partition = index.partition("v1")
    assert partition is not None
    held = partition.names.bytes()
    for start in range(0, 2900, 100):
        gone = _changes([(f"e{n}", "v1", None, {}) for n in range(start, start + 100)], 3000 + start)
        index.apply(gone)
    assert partition.names.bytes() < held / 2
    found = index.held("v1", [f"e{n}" for n in range(3000)])
    assert {name: json.loads(row[1])["n"] for name, row in found.items()} == {
        f"e{n}": n for n in range(2900, 3000)
    }


def test_a_search_is_exact_under_any_filter(vectors: Callable[..., np.ndarray]) -> None:
    rows, queries = vectors(2000), vectors(20, seed=1)
    price = np.arange(2000)
    index = LocalIndex()
    index.apply(
        _changes([(f"e{n}", "v1" if n % 3 else "v2", rows[n], {"price": n}) for n in range(len(rows))])
    )
    for low, high in ((0, 2000), (100, 1100), (40, 45), (1999, 2000), (5000, 6000)):
        allowed = (price >= low) & (price < high)
        found_filter = parse_filter({"price": {"gte": low, "lt": high}})
        for query in queries:
            scores = np.where(allowed, rows @ query, -np.inf)
            best = [f"e{n}" for n in np.argsort(-scores, kind="stable")[:10] if allowed[n]]
            assert [hit.id for hit in index.search(query, 10, ["v1", "v2"], found_filter)] == best


def test_only_the_named_versions_are_searched(vectors: Callable[..., np.ndarray]) -> None:
    rows = vectors(4)
    index = LocalIndex()
    index.apply(_changes([(f"e{n}", f"v{n % 2 + 1}", rows[n], {}) for n in range(4)]))
    assert {hit.embedded_by for hit in index.search(rows[0], 10, ["v2"])} == {"v2"}
    assert index.search(rows[0], 10, ["v3"]) == []


def test_equal_scores_come_in_the_order_of_their_ids(vectors: Callable[..., np.ndarray]) -> None:
    row = vectors(1)[0]
    index = LocalIndex()
    index.apply(_changes([(name, version, row, {}) for name, version in zip("dbca", "1212", strict=True)]))
    assert [hit.id for hit in index.search(row, 4, ["1", "2"])] == ["a", "b", "c", "d"]


def test_holes_of_every_shape_are_filled(vectors: Callable[..., np.ndarray]) -> None:
    rows = vectors(40)
    for seed in range(30):
        random = np.random.default_rng(seed)
        index = LocalIndex()
        index.apply(_changes([(f"e{n}", "v1", rows[n], {"n": n}) for n in range(40)]))
        gone = set(random.choice(40, random.integers(1, 41), replace=False).tolist())
        index.apply(_changes([(f"e{n}", "v1", None, {}) for n in sorted(gone)], 40))
        left = [n for n in range(40) if n not in gone]
        partition = index.partition("v1")
        assert partition is not None
        assert sorted(partition.ids) == sorted(f"e{n}" for n in left)
        for n in left:
            assert partition.get(f"e{n}") == (rows[n].tobytes(), json.dumps({"n": n}))
            (hit,) = index.search(rows[n], 1, ["v1"], parse_filter({"n": n}))
            assert (hit.id, hit.attributes) == (f"e{n}", {"n": n})
            assert np.isclose(hit.score, 1.0, atol=1e-6)
