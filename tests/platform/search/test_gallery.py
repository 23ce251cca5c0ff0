import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from holdfast.base import (
    ConfigError,
    HoldfastError,
    IncompatibleError,
    InvalidVectorError,
    NotFoundError,
    NotReadyError,
    TooLargeError,
)
from holdfast.entries import Entries, Entry
from holdfast.filters import InvalidFilterError
from holdfast.search import Gallery
from holdfast.store import Store


@pytest.fixture
def query(vectors: Callable[..., np.ndarray]) -> np.ndarray:
    return vectors(1, seed=99)[0]


def test_an_empty_gallery_has_no_hits(store: Store, query: np.ndarray) -> None:
    found = Gallery(store).search(query, "v1")
    assert (found.hits, found.searched, found.seq, found.query_version) == ([], [], 0, "v1")


def test_hits_say_who_embedded_them(
    store: Store, entry: Callable[..., Entry], allow: Callable[..., None], query: np.ndarray
) -> None:
    gallery = Gallery(store)
    batch = [entry(f"e{n}", f"v{n % 2 + 1}", seed=n, n=n) for n in range(10)]
    seq = gallery.upsert(batch)
    allow("v2", "v1")
    found = gallery.search(query, "v2", k=4)
    scores = {item.id: float(item.vector @ query) for item in batch}
    best = sorted(scores, key=lambda name: -scores[name])[:4]
    assert [hit.id for hit in found.hits] == best
    assert all(np.isclose(hit.score, scores[hit.id], atol=1e-6) for hit in found.hits)
    assert all(hit.embedded_by == f"v{int(hit.id[1:]) % 2 + 1}" for hit in found.hits)
    assert all(hit.attributes == {"n": int(hit.id[1:])} for hit in found.hits)
    assert (found.searched, found.seq, found.query_version) == (["v1", "v2"], seq, "v2")


def test_more_hits_than_entries_is_all_of_them(
    store: Store, entry: Callable[..., Entry], query: np.ndarray
) -> None:
    gallery = Gallery(store)
    gallery.upsert([entry("a"), entry("b", seed=1)])
    assert len(gallery.search(query, "v1", k=500).hits) == 2
    assert gallery.search(query, "v1", filter={"color": "red"}).hits == []


def test_versions_are_never_mixed_unmeasured(
    store: Store, entry: Callable[..., Entry], allow: Callable[..., None], query: np.ndarray
) -> None:
    gallery = Gallery(store)
    gallery.upsert([entry("a", "v1"), entry("b", "v2"), entry("c", "v3"), entry("d", "v3", seed=1)])
    found = gallery.search(query, "v2")
    assert [hit.id for hit in found.hits] == ["b"]
    assert (found.searched, found.excluded) == (["v2"], {"v1": 1, "v3": 2})
    with pytest.raises(IncompatibleError) as refused:
        gallery.search(query, "v2", versions=["v1", "v2", "v3"])
    assert "v2 was never measured against entries of v1" in str(refused.value)
    assert "v2 was never measured against entries of v3" in str(refused.value)
    assert "`versions`" in str(refused.value)
    allow("v2", "v1")
    with pytest.raises(IncompatibleError) as refused:
        gallery.search(query, "v2", versions=["v1", "v2", "v3"])
    assert "of v1" not in str(refused.value)
    found = gallery.search(query, "v2")
    assert {hit.id for hit in found.hits} == {"a", "b"}
    assert found.excluded == {"v3": 2}
    found = gallery.search(query, "v2", versions=["v2"])
    assert ([hit.id for hit in found.hits], found.excluded) == (["b"], {})  # nobody asked for the others
    allow("v2", "v3", compatible=False)
    with pytest.raises(IncompatibleError, match=r"v2 is not compatible with entries of v3 .*0\.6"):
        gallery.search(query, "v2", versions=["v3"])


def test_a_gallery_out_of_reach_is_an_error_that_says_what_to_do(
    store: Store, entry: Callable[..., Entry], allow: Callable[..., None], query: np.ndarray
) -> None:
    gallery = Gallery(store)
    gallery.upsert([entry("a", "v1"), entry("b", "v2"), entry("c", "v4")])
    allow("v3", "v2", compatible=False)
    for _ in range(2):
        with pytest.raises(IncompatibleError) as refused:
            gallery.search(query, "v3", filter={"color": "red"})
        message = str(refused.value)
        assert message.startswith("v3 may search no entry of this gallery")
        assert "never measured against entries of v1" in message
        assert "not compatible with entries of v2" in message
        assert "v3 (8 dimensions) cannot search entries of v4 (16)" in message
        assert "holdfast evaluate" in message
    gallery.upsert([entry("d", "v3")])
    found = gallery.search(query, "v3")
    assert [hit.id for hit in found.hits] == ["d"]
    assert found.excluded == {"v1": 1, "v2": 1, "v4": 1}


def test_the_first_search_that_leaves_entries_out_asks_the_database_and_later_ones_do_not(
    store: Store,
    entry: Callable[..., Entry],
    allow: Callable[..., None],
    query: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A version may have been measured and promoted since the last look; leaving out must not slow down."""
    gallery = Gallery(store)
    gallery.upsert([entry("a", "v1"), entry("b", "v2"), entry("c", "v3")])
    allow("v2", "v1")
    asked = []
    nonces = store.nonces
    monkeypatch.setattr(store, "nonces", lambda: (asked.append(1), nonces())[1])
    assert gallery.search(query, "v2").excluded == {"v3": 1}
    first = len(asked)
    for _ in range(5):
        assert gallery.search(query, "v2").excluded == {"v3": 1}
    assert len(asked) == first
    allow("v2", "v3")
    gallery.refresh()
    assert gallery.search(query, "v2").excluded == {}


def test_a_version_without_entries_never_blocks(
    store: Store, entry: Callable[..., Entry], query: np.ndarray
) -> None:
    gallery = Gallery(store)
    gallery.upsert([entry("a", "v1"), entry("b", "v2")])
    gallery.delete(["b"])
    found = gallery.search(query, "v1")
    assert ([hit.id for hit in found.hits], found.excluded) == (["a"], {})
    assert gallery.search(query, "v1", versions=["v2", "v3"]).hits == []


def test_a_measurement_that_turned_bad_is_noticed(
    store: Store, entry: Callable[..., Entry], allow: Callable[..., None], query: np.ndarray
) -> None:
    gallery = Gallery(store)
    gallery.upsert([entry("a", "v1")])
    allow("v2", "v1")
    assert gallery.search(query, "v2").hits
    allow("v2", "v1", compatible=False)
    gallery.refresh()
    with pytest.raises(IncompatibleError):
        gallery.search(query, "v2")


def test_other_dimensions_are_incompatible_whatever_was_recorded(
    store: Store, entry: Callable[..., Entry], allow: Callable[..., None], query: np.ndarray
) -> None:
    gallery = Gallery(store)
    gallery.upsert([entry("a", "v4")])
    allow("v1", "v4")
    with pytest.raises(IncompatibleError, match=r"v1 \(8 dimensions\) cannot search entries of v4 \(16\)"):
        gallery.search(query, "v1")


def test_an_alias_may_name_the_versions(store: Store, entry: Callable[..., Entry], query: np.ndarray) -> None:
    gallery = Gallery(store)
    gallery.upsert([entry("a", "v1")])
    store.traffic.promote("v1")
    assert gallery.search(query, "live", versions=["live"]).query_version == "v1"
    store.traffic.promote("v2", force=True)
    assert gallery.search(query, "live", versions=["v2"]).query_version == "v2"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"version": "v9"}, NotFoundError, "v9"),
        ({"versions": ["v1", "v9"]}, NotFoundError, "v9"),
        ({"k": 0}, ConfigError, "k is 0"),
        ({"k": True}, ConfigError, "k is True"),
        ({"k": 2.5}, ConfigError, "k is 2.5"),
        ({"k": 10_001}, TooLargeError, "at most 10000"),
        ({"filter": {"color": None}}, InvalidFilterError, "'color'"),
        ({"min_seq": 7}, NotReadyError, "before 7"),
        ({"vector": np.ones(8, np.float32)}, InvalidVectorError, "norm 2.828"),
        ({"vector": np.full(8, np.nan, np.float32)}, InvalidVectorError, "NaN"),
        ({"vector": np.ones(9, np.float32) / 3}, InvalidVectorError, r"\(9,\): v1 makes \(8,\)"),
        ({"vector": "x"}, InvalidVectorError, "list of numbers"),
    ],
)
def test_a_bad_request_is_one_sentence(
    store: Store, query: np.ndarray, change: dict[str, object], error: type[HoldfastError], message: str
) -> None:
    with pytest.raises(error, match=message):
        Gallery(store).search(**({"vector": query, "version": "v1"} | change))


def test_a_gallery_reads_its_own_and_others_writes(
    store: Store, entry: Callable[..., Entry], query: np.ndarray
) -> None:
    gallery, other = Gallery(store), Entries(store)
    gallery.upsert([entry("a", seed=1)])
    assert [hit.id for hit in gallery.search(query, "v1").hits] == ["a"]
    seq = other.upsert([entry("b", seed=2)])
    assert [hit.id for hit in gallery.search(query, "v1").hits] == ["a"]
    found = gallery.search(query, "v1", min_seq=seq)
    assert {hit.id for hit in found.hits} == {"a", "b"}
    assert found.seq == seq
    gallery.delete(["a"])
    assert [hit.id for hit in gallery.search(query, "v1").hits] == ["b"]
    assert gallery.get("b").seq == seq


def test_an_index_can_be_thrown_away(store: Store, entry: Callable[..., Entry], query: np.ndarray) -> None:
    gallery = Gallery(store)
    gallery.upsert([entry(f"e{n}", seed=n, n=n) for n in range(30)])
    gallery.upsert([entry(f"e{n}", seed=100 + n) for n in range(0, 30, 3)])
    gallery.delete([f"e{n}" for n in range(0, 30, 5)])
    before = gallery.search(query, "v1", k=30)
    assert Gallery(store).search(query, "v1", k=30) == before
    gallery.rebuild()
    assert gallery.search(query, "v1", k=30) == before
    assert gallery.stats().applied_seq == gallery.stats().last_seq == before.seq


def test_stats_tell_what_the_index_holds(store: Store, entry: Callable[..., Entry]) -> None:
    gallery = Gallery(store)
    gallery.upsert([entry("a", "v1"), entry("b", "v4"), entry("c", "v4")])
    Entries(store).upsert([entry("d", "v2")])
    stats = gallery.stats()
    assert stats.entries == {"v1": 1, "v4": 2}
    assert (stats.applied_seq, stats.last_seq, stats.kind) == (3, 4, "exact")
    assert stats.bytes == 4 * (8 + 2 * 16)


def test_searches_and_a_refresher_run_side_by_side(store: Store, vectors: Callable[..., np.ndarray]) -> None:
    """Every entry always has a twin: half a batch in a ranking would show as an odd number of hits."""
    gallery, entries = Gallery(store), Entries(store)
    rows = vectors(64)
    done = threading.Event()
    problems: list[object] = []

    def search(number: int) -> None:
        try:
            while not done.is_set():
                found = gallery.search(rows[number], "v1", k=200)
                time.sleep(0.0005)
                twins = [hit.id.split("-")[0] for hit in found.hits]
                if any(twins.count(name) != 2 for name in twins):
                    problems.append(sorted(hit.id for hit in found.hits))
        except Exception as error:
            problems.append(error)

    def refresh() -> None:
        while not done.is_set():
            gallery.refresh()

    threads = [threading.Thread(target=search, args=(n,)) for n in range(3)]
    threads.append(threading.Thread(target=refresh))
    for thread in threads:
        thread.start()
    started, step = time.monotonic(), 0
    while step < 30 or time.monotonic() < started + 1:
        n = step % 32
        if step % 3 == 2:
            entries.delete([f"{n}-a", f"{n}-b"])
        else:
            entries.upsert([Entry(f"{n}-{twin}", "v1", rows[(n + step) % 64]) for twin in "ab"])
        step += 1
    done.set()
    for thread in threads:
        thread.join(30)
    assert problems == []
    assert gallery.verify().ok


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_many_queries_see_entries_of_versions_that_came_meanwhile(
    store: Store, allow: Callable[..., None], vectors: Callable[..., np.ndarray]
) -> None:
    allow("v2", "v1")
    opened, rows = Gallery(store), vectors(4)
    opened.upsert([Entry("old", "v1", rows[0])])
    assert [each.ranked().searched for each in opened.recall_many(rows, "v2")] == [["v1"]] * 4
    opened.upsert([Entry("new", "v2", rows[1])])
    found = [each.ranked() for each in opened.recall_many(rows, "v2")]
    assert [each.searched for each in found] == [["v1", "v2"]] * 4
    assert all({hit.id for hit in each.hits} == {"old", "new"} for each in found)
