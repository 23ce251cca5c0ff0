"""Search through adapters: entries or queries are mapped, and the partitions make one ranking."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.adapters import LinearAdapter
from holdfast.base import IncompatibleError, StoreError
from holdfast.entries import Entry
from holdfast.search import Gallery
from holdfast.store import Compatibility, MeasuredCalibration, Store

DIMENSIONS = {"v1": 8, "v2": 8, "v3": 8, "v4": 16}


@pytest.fixture
def adapt(store: Store) -> Callable[..., LinearAdapter]:
    def register(
        query: str,
        gallery: str,
        seed: int = 0,
        compatible: bool | None = True,
        maps: Literal["entries", "queries"] = "entries",
        **calibration: float,
    ) -> LinearAdapter:
        """Register a random map, calibrate its scores, and measure the pair unless `compatible` is None."""
        ends = (gallery, query) if maps == "entries" else (query, gallery)
        generator = np.random.default_rng(seed)
        drawn = generator.normal(size=[DIMENSIONS[end] for end in ends])
        adapter = LinearAdapter.of(drawn, 0.5 * generator.normal(size=DIMENSIONS[ends[1]]))
        row = store.adapters.register(query, gallery, adapter, maps=maps)
        if calibration:
            store.calibrations.record(
                [MeasuredCalibration(query, gallery, adapter=row.digest, **calibration)]
            )
        if compatible is not None:
            store.compatibility.record(
                [Compatibility(query, gallery, 0.7, 0.6, 0.0, 0.2, compatible, "e", adapter=row.digest)]
            )
        return adapter

    return register


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_search_is_the_formula_over_the_partitions(
    store: Store,
    vectors: Callable[..., np.ndarray],
    allow: Callable[..., None],
    adapt: Callable[..., LinearAdapter],
) -> None:
    ways = {("v4", "v1"): "entries", ("v4", "v2"): "queries", ("v4", "v3"): "entries"}
    ways |= {("v3", "v1"): "queries", ("v2", "v1"): "entries"}
    calibrations = {("v4", "v1"): -0.2, ("v4", "v2"): 0.25, ("v3", "v1"): -0.1}
    calibrations |= {("v2", "v1"): 0.0, ("v3", "v2"): 0.1, ("v1", "v2"): 0.3}
    maps: dict[tuple[str, str], LinearAdapter] = {}
    for seed, (pair, way) in enumerate(ways.items()):
        maps[pair] = adapt(*pair, seed=seed, maps=way, shift=calibrations.get(pair, 0.0))
    for pair in ("v3", "v2"), ("v1", "v2"), ("v1", "v3"):
        allow(*pair)
        if pair in calibrations:
            store.calibrations.record([MeasuredCalibration(*pair, calibrations[pair])])
    opened = Gallery(store)
    entries = [
        Entry(f"{name}-{n}", name, vector, {"even": n % 2 == 0})
        for name, dimension in DIMENSIONS.items()
        for n, vector in enumerate(vectors(12, dimension, seed=dimension + int(name[1:])))
    ]
    opened.upsert(entries)
    queries = {name: vectors(5, dimension, seed=100) for name, dimension in DIMENSIONS.items()}
    reachable = {"v1": ["v1", "v2", "v3"], "v2": ["v1", "v2"], "v3": ["v1", "v2", "v3"], "v4": [*DIMENSIONS]}

    @settings(max_examples=60, deadline=None)
    @given(
        version=st.sampled_from(list(DIMENSIONS)),
        number=st.integers(0, 4),
        k=st.integers(1, 60),
        even=st.sampled_from([None, True, False]),
        data=st.data(),
    )
    def check(version: str, number: int, k: int, even: bool | None, data: st.DataObject) -> None:
        names = data.draw(st.lists(st.sampled_from(reachable[version]), min_size=1, unique=True))
        raw = None if even is None else {"even": even}
        query = queries[version][number]
        found = opened.search(query, version, k=k, filter=raw, versions=names)
        several = opened.recall_many(
            queries[version], version, k, raw, names, leave_out=["v1-3", None, "v2-0", None, "v4-1"]
        )
        left = [hit for hit in found.hits if hit.id != ["v1-3", None, "v2-0", None, "v4-1"][number]]
        together = several[number].ranked()
        assert [hit.id for hit in together.hits][: len(left)] == [hit.id for hit in left]
        assert np.allclose([hit.score for hit in together.hits][: len(left)], [hit.score for hit in left])
        assert (together.searched, together.adapted) == (found.searched, found.adapted)
        scores, ranks = {}, {}
        for entry in entries:
            if entry.version in names and (even is None or entry.attributes["even"] == even):
                pair = (version, entry.version)
                meeting = [query, entry.vector]
                if pair in maps:
                    side = 1 if ways[pair] == "entries" else 0
                    mapped = meeting[side] @ maps[pair].matrix + maps[pair].bias
                    meeting[side] = mapped / np.linalg.norm(mapped)
                scores[entry.id] = float(meeting[0] @ meeting[1])
                ranks[entry.id] = scores[entry.id] + calibrations.get(pair, 0.0)
        best = sorted(ranks.values(), reverse=True)[:k]
        assert np.allclose([ranks[hit.id] for hit in found.hits], best, atol=1e-5)
        assert all(np.isclose(hit.score, scores[hit.id], atol=1e-5) for hit in found.hits)
        assert all(np.isclose(hit.calibrated, ranks[hit.id], atol=1e-5) for hit in found.hits)
        assert sorted((hit.calibrated for hit in found.hits), reverse=True) == [
            hit.calibrated for hit in found.hits
        ]
        assert len({hit.id for hit in found.hits}) == len(best)
        assert found.searched == sorted(names)
        assert found.adapted == [name for name in sorted(names) if (version, name) in maps]

    check()
    found = opened.search(queries["v2"][0], "v2")
    assert (found.searched, found.excluded) == (["v1", "v2"], {"v3": 12, "v4": 12})


def test_an_adapter_bridges_two_widths_one_way(
    store: Store,
    entry: Callable[..., Entry],
    vectors: Callable[..., np.ndarray],
    adapt: Callable[..., LinearAdapter],
) -> None:
    gallery = Gallery(store)
    gallery.upsert([entry("a", "v1"), entry("b", "v4")])
    query = vectors(1, 16)[0]
    with pytest.raises(IncompatibleError, match=r"v4 \(16 dimensions\) .* v1 \(8\) without an adapter"):
        gallery.search(query, "v4", versions=["v1"])
    adapter = adapt("v4", "v1", compatible=None)
    with pytest.raises(IncompatibleError, match="v4 was never measured against entries of v1 through its"):
        gallery.search(query, "v4", versions=["v1", "v4"])
    alone = gallery.search(query, "v4")
    assert ([hit.id for hit in alone.hits], alone.excluded) == (["b"], {"v1": 1})
    adapt("v4", "v1")
    gallery.refresh()
    found = gallery.search(query, "v4")
    assert (found.searched, found.adapted, found.excluded) == (["v1", "v4"], ["v1"], {})
    scores = {hit.id: hit.score for hit in found.hits}
    assert np.isclose(scores["a"], query @ adapter.apply(entry("a").vector[None])[0], atol=1e-6)
    assert np.isclose(scores["b"], entry("b", "v4").vector @ query, atol=1e-6)
    with pytest.raises(IncompatibleError, match=r"v1 \(8 dimensions\) cannot search entries of v4"):
        gallery.search(vectors(1)[0], "v1", versions=["v4"])


def test_a_calibration_needs_no_adapter_and_another_pairs_does_not_matter(
    store: Store, entry: Callable[..., Entry], vectors: Callable[..., np.ndarray], allow: Callable[..., None]
) -> None:
    """A shift moves the entries of its version past those of another, and no score."""
    gallery = Gallery(store)
    batch = [entry(f"{version}-{n}", version, seed=10 * n + int(version[1:])) for version in ("v1", "v2")
             for n in range(6)]  # fmt: skip
    gallery.upsert(batch)
    allow("v2", "v1")
    query = vectors(1, seed=7)[0]
    before = gallery.search(query, "v2", k=12)
    assert all(hit.calibrated == hit.score for hit in before.hits)
    store.calibrations.record([MeasuredCalibration("v2", "v1", 4.0), MeasuredCalibration("v3", "v1", 9.0)])
    assert gallery.search(query, "v2", k=12) == before
    gallery.refresh()
    after = gallery.search(query, "v2", k=12)
    assert after.adapted == []
    assert [hit.embedded_by for hit in after.hits] == ["v1"] * 6 + ["v2"] * 6
    assert {hit.id: hit.score for hit in after.hits} == {hit.id: hit.score for hit in before.hits}
    for hit in after.hits:
        assert hit.calibrated == hit.score + (4.0 if hit.embedded_by == "v1" else 0.0)
    for name in "v1", "v2":
        alone = gallery.search(query, "v2", k=12, versions=[name]).hits
        assert [hit.id for hit in alone] == [hit.id for hit in before.hits if hit.embedded_by == name]
    # Of another adapter, so it does not count.
    store.calibrations.record([MeasuredCalibration("v2", "v1", 4.0, adapter="0" * 64)])
    gallery.refresh()
    assert gallery.search(query, "v2", k=12) == before


def test_a_follower_takes_a_new_adapter_and_refuses_until_it_is_measured(
    store: Store,
    entry: Callable[..., Entry],
    vectors: Callable[..., np.ndarray],
    allow: Callable[..., None],
    adapt: Callable[..., LinearAdapter],
) -> None:
    gallery = Gallery(store)
    gallery.upsert([entry("a", "v1")])
    query, item = vectors(1, seed=5)[0], entry("a").vector
    allow("v2", "v1")
    assert gallery.search(query, "v2").adapted == []
    for seed, maps in (1, "entries"), (2, "entries"), (3, "queries"), (4, "entries"):
        adapter = adapt("v2", "v1", seed=seed, compatible=None, maps=maps)
        gallery.refresh()
        with pytest.raises(IncompatibleError, match="through its adapter"):
            gallery.search(query, "v2")
        assert gallery.stats().bytes == 4 * 8  # no copy made by an adapter of before
        adapt("v2", "v1", seed=seed, maps=maps)
        gallery.refresh()
        found = gallery.search(query, "v2")
        assert found.adapted == ["v1"]
        source, other = (item, query) if maps == "entries" else (query, item)
        assert np.isclose(found.hits[0].score, adapter.apply(source[None])[0] @ other, atol=1e-6)
    adapt("v2", "v1", seed=4, compatible=False)
    gallery.refresh()
    with pytest.raises(IncompatibleError, match="v2 is not compatible with entries of v1"):
        gallery.search(query, "v2")


def test_an_adapter_is_read_once_and_a_damaged_one_is_an_error(
    store: Store,
    entry: Callable[..., Entry],
    vectors: Callable[..., np.ndarray],
    allow: Callable[..., None],
    adapt: Callable[..., LinearAdapter],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gallery = Gallery(store)
    gallery.upsert([entry("a", "v1")])
    adapt("v2", "v1")
    read = []
    original = store.adapters.open
    monkeypatch.setattr(store.adapters, "open", lambda row: (read.append(row), original(row))[1])
    for seed in range(3):
        gallery.search(vectors(1, seed=seed)[0], "v2")
        allow("v3", "v1")  # another pair, but the counter moves
        gallery.refresh()
    assert len(read) == 1
    assert store.artifacts.root is not None
    (store.artifacts.root / read[0].artifact).write_bytes(b"nothing")
    with pytest.raises(StoreError, match=r"between v2 and v1 .* is damaged"):
        Gallery(store).search(vectors(1)[0], "v2")
