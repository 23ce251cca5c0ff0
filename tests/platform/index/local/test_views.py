"""The mapped copies: any sequence of writes, registrations and searches gives the formula, at little cost."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from holdfast.adapters import LinearAdapter
from holdfast.entries import Entry
from holdfast.index import IndexConfig, open_index
from holdfast.index.local import LocalIndex
from holdfast.search import Gallery
from holdfast.store import Compatibility, Store

WIDTHS = {"v1": 8, "v2": 8, "v3": 8, "v4": 16}
OLDER = {"v2": ["v1"], "v3": ["v1", "v2"], "v4": ["v1", "v2", "v3"]}
IDS = st.sampled_from([f"e{n}" for n in range(6)])
VERSIONS, ROWS = st.sampled_from(list(WIDTHS)), st.integers(0, 15)


def random_map(source: str, target: str, seed: int) -> LinearAdapter:
    generator = np.random.default_rng(seed)
    return LinearAdapter.of(
        generator.normal(size=(WIDTHS.get(source, 8), WIDTHS.get(target, 8))),
        0.5 * generator.normal(size=WIDTHS.get(target, 8)),
    )


def register(store: Store, query: str, gallery: str, seed: int) -> LinearAdapter:
    adapter = random_map(gallery, query, seed)
    row = store.adapters.register(query, gallery, adapter)
    store.compatibility.record(
        [Compatibility(query, gallery, 0.7, 0.6, 0.0, 0.2, True, "evaluation", adapter=row.digest)]
    )
    return adapter


class Machine(RuleBasedStateMachine):
    """Two galleries over one database, one with room for a single query version's copies."""

    store: Store
    rows: dict[str, np.ndarray]

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[str, tuple[str, int]] = {}
        self.maps: dict[tuple[str, str], LinearAdapter] = {}

    @initialize()
    def begin(self) -> None:
        with self.store.engine.begin() as connection:
            for table in ("entries", "compatibility", "adapters"):
                connection.exec_driver_sql(f"DELETE FROM {table}")
            connection.exec_driver_sql("UPDATE counters SET value = 0 WHERE name <> 'versions'")
        self.galleries = [Gallery(self.store), Gallery(self.store, LocalIndex(query_versions=1))]
        for query, older in OLDER.items():
            for gallery in older:
                self.register(query, gallery, 0)

    @rule(
        batch=st.lists(st.tuples(IDS, VERSIONS, ROWS), min_size=1, max_size=5),
        where=st.integers(0, 1),
    )
    def upsert(self, batch: list[tuple[str, str, int]], where: int) -> None:
        self.galleries[where].upsert(
            [Entry(name, version, self.rows[version][row]) for name, version, row in batch]
        )
        self.entries |= {name: (version, row) for name, version, row in batch}

    @rule(ids=st.lists(IDS, max_size=4), where=st.integers(0, 1))
    def delete(self, ids: list[str], where: int) -> None:
        self.galleries[where].delete(ids)
        for name in ids:
            self.entries.pop(name, None)

    @rule(pair=st.sampled_from([(q, g) for q, older in OLDER.items() for g in older]), seed=st.integers(0, 3))
    def replace(self, pair: tuple[str, str], seed: int) -> None:
        self.register(*pair, seed)

    def register(self, query: str, gallery: str, seed: int) -> None:
        self.maps[query, gallery] = register(self.store, query, gallery, seed)

    @rule(where=st.integers(0, 1))
    def rebuild(self, where: int) -> None:
        self.galleries[where].rebuild()

    @rule(version=st.sampled_from(list(OLDER)), row=ROWS, k=st.integers(1, 8), where=st.integers(0, 1))
    def search(self, version: str, row: int, k: int, where: int) -> None:
        gallery, query = self.galleries[where], self.rows[version][row]
        gallery.refresh()
        names = [*OLDER[version], version]
        found = gallery.search(query, version, k=k, versions=names)
        scores = {}
        for name, (held_by, number) in self.entries.items():
            if held_by in names:
                vector = self.rows[held_by][number]
                if held_by != version:
                    vector = self.maps[version, held_by].apply(vector[None])[0]
                scores[name] = float(query @ vector)
        best = sorted(scores.values(), reverse=True)[:k]
        assert np.allclose([hit.score for hit in found.hits], best, atol=1e-5)
        assert len({hit.id for hit in found.hits}) == len(best)
        for hit in found.hits:
            assert np.isclose(hit.score, scores[hit.id], atol=1e-5)
            assert hit.embedded_by == self.entries[hit.id][0]

    def teardown(self) -> None:
        if hasattr(self, "galleries"):
            for gallery in self.galleries:
                assert gallery.verify().ok


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_views_follow_whatever_happens(store: Store, vectors: Callable[..., np.ndarray]) -> None:
    Machine.store = store
    Machine.rows = {name: vectors(16, width, seed=width) for name, width in WIDTHS.items()}
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


class Counting:
    """An adapter that tells how many vectors it mapped, and can be held back."""

    def __init__(self, adapter: LinearAdapter) -> None:
        self._adapter = adapter
        self.target_dimension = adapter.target_dimension
        self.mapped = 0
        self.begun, self.free = threading.Event(), threading.Event()
        self.free.set()

    def apply(self, rows: np.ndarray) -> np.ndarray:
        self.begun.set()
        assert self.free.wait(20)
        self.mapped += len(rows)
        return self._adapter.apply(rows)


@pytest.fixture
def counted(store: Store, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Counting]:
    """Register a map between two versions and count what goes through it."""
    found: dict[str, Counting] = {}
    original = store.adapters.open
    monkeypatch.setattr(
        store.adapters, "open", lambda row: found.setdefault(row.digest, Counting(original(row)))
    )

    def make(query: str, gallery: str) -> Counting:
        register(store, query, gallery, seed=int(query[1:]))
        (row,) = (row for row in store.adapters.list() if (row.query, row.gallery) == (query, gallery))
        return store.adapters.open(row)

    return make


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_only_what_changed_is_mapped_and_only_for_the_versions_in_use(
    store: Store,
    entry: Callable[..., Entry],
    vectors: Callable[..., np.ndarray],
    counted: Callable[..., Counting],
) -> None:
    maps = {name: counted(name, "v1") for name in ("v2", "v3", "v4")}
    gallery = Gallery(store, LocalIndex(query_versions=2))
    gallery.upsert([entry(f"e{n}", seed=n) for n in range(10)])
    assert gallery.stats().bytes == 10 * 8 * 4

    def search(version: str) -> list[str]:
        gallery.search(vectors(1, WIDTHS[version])[0], version)
        return [f"{name} {counting.mapped}" for name, counting in maps.items()]

    assert search("v2") == search("v2") == ["v2 10", "v3 0", "v4 0"]
    gallery.upsert([entry("e3", seed=30), entry("new", seed=31)])
    assert maps["v2"].mapped == 12
    gallery.delete(["e0"])  # the last one takes its place
    assert maps["v2"].mapped == 13
    gallery.delete(["e0", "unknown"])
    assert search("v2") == ["v2 13", "v3 0", "v4 0"]
    assert gallery.stats().bytes == 10 * 8 * 4 + 10 * 8 * 4

    assert search("v4") == ["v2 13", "v3 0", "v4 10"]
    assert gallery.stats().bytes == 10 * 8 * 4 + 10 * 8 * 4 + 10 * 16 * 4
    search("v2")
    assert search("v3") == ["v2 13", "v3 10", "v4 10"]  # v4 had not searched for the longest time
    gallery.upsert([entry("another", seed=40)])
    assert search("v2") == ["v2 14", "v3 11", "v4 10"]
    assert search("v4") == ["v2 14", "v3 11", "v4 21"]
    gallery.rebuild()
    assert search("v2") == ["v2 25", "v3 11", "v4 21"]


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_every_version_that_can_be_loaded_finds_its_entries_mapped(
    store: Store,
    entry: Callable[..., Entry],
    vectors: Callable[..., np.ndarray],
    counted: Callable[..., Counting],
    further: list[str],
) -> None:
    maps = {name: counted(name, "v1") for name in further}
    assert len(maps) == 7
    gallery = Gallery(store)
    gallery.upsert([entry(f"e{n}", seed=n) for n in range(10)])
    for _ in range(3):
        for name in maps:
            gallery.search(vectors(1)[0], name)
    assert {name: each.mapped for name, each in maps.items()} == dict.fromkeys(further, 10)


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_too_little_room_is_said_and_a_setting_gives_more(
    store: Store,
    entry: Callable[..., Entry],
    vectors: Callable[..., np.ndarray],
    counted: Callable[..., Counting],
    caplog: pytest.LogCaptureFixture,
) -> None:
    maps = {name: counted(name, "v1") for name in ("v2", "v3", "v4")}
    for room, warnings in ((3, 0), (2, 1)):
        gallery = Gallery(store, open_index(store, IndexConfig(query_versions=room)))
        gallery.upsert([entry(f"e{n}", seed=n) for n in range(10)])
        caplog.clear()
        for _ in range(3):
            for name in maps:
                gallery.search(vectors(1, WIDTHS[name])[0], name)
        assert caplog.text.count("Set index.query_versions higher") == warnings


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_while_entries_are_mapped_others_search_and_write_and_nothing_is_lost(
    store: Store,
    entry: Callable[..., Entry],
    vectors: Callable[..., np.ndarray],
    counted: Callable[..., Counting],
) -> None:
    slow, quick = counted("v4", "v1"), counted("v2", "v1")
    gallery = Gallery(store)
    gallery.upsert([entry(f"e{n}", seed=n) for n in range(10)])
    query = vectors(1, 16)[0]
    slow.free.clear()
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(gallery.search, query, "v4", k=20) for _ in range(2)]
        try:
            assert slow.begun.wait(20)
            assert len(gallery.search(vectors(1)[0], "v2", k=20).hits) == 10
            gallery.upsert([entry("e2", seed=50), entry("new", seed=51)])
            gallery.delete(["e0", "e1", "e9"])
            assert len(gallery.search(vectors(1)[0], "v2", k=20).hits) == 8
            assert not any(search.done() for search in waiting)
        finally:
            slow.free.set()
        found = [search.result(20) for search in waiting]
    seeds = {f"e{n}": n for n in range(3, 9)} | {"e2": 50, "new": 51}
    rows = random_map("v1", "v4", 4).apply(
        np.stack([entry("any", seed=seed).vector for seed in seeds.values()])
    )
    scores = dict(zip(seeds, (rows @ query).tolist(), strict=True))
    for result in found:
        assert {hit.id: hit.score for hit in result.hits} == pytest.approx(scores, abs=1e-5)
    assert slow.mapped < 20  # once all of them and what changed, not once a search
    assert quick.mapped < 20


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_more_versions_search_at_once_than_have_room(
    store: Store, entry: Callable[..., Entry], vectors: Callable[..., np.ndarray]
) -> None:
    for name in ("v2", "v3", "v4"):
        register(store, name, "v1", seed=int(name[1:]))
    gallery = Gallery(store, LocalIndex(query_versions=1))
    gallery.upsert([entry(f"e{n}", seed=n) for n in range(40)])
    expected = {}
    for name in ("v2", "v3", "v4"):
        rows = np.stack([entry("any", seed=n).vector for n in range(40)])
        mapped = random_map("v1", name, int(name[1:])).apply(rows)
        expected[name] = dict(zip(range(40), (mapped @ vectors(1, WIDTHS[name])[0]).tolist(), strict=True))

    def searches(name: str) -> None:
        for _ in range(30):
            for hit in gallery.search(vectors(1, WIDTHS[name])[0], name, k=40).hits:
                assert np.isclose(hit.score, expected[name][int(hit.id[1:])], atol=1e-5)

    def writes() -> None:
        for n in range(30):
            gallery.delete([f"e{n}"])
            gallery.upsert([entry(f"e{n}", seed=n)])

    with ThreadPoolExecutor(7) as pool:
        for task in [pool.submit(searches, name) for name in ("v2", "v3", "v4") * 2] + [pool.submit(writes)]:
            task.result(60)
