"""Cascades: the pool is the best of the whole ranking, and what is known of its images decides."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.adapters import LinearAdapter
from holdfast.base import IncompatibleError
from holdfast.entries import Entry
from holdfast.index import Hit
from holdfast.search import Embedded, Gallery, SearchResult, Terms
from holdfast.store import Compatibility, MeasuredCalibration, Store

OLD, OWN = 24, 8


@dataclass
class Eyes:
    """A cascade that has these vectors, by id."""

    vectors: Mapping[str, np.ndarray]
    candidates: int = 10
    always: bool = False
    obstacle: str = ""
    asked: list[list[str]] = field(default_factory=list)

    def terms(self, version: str) -> Terms:
        return Terms(self.candidates, self.always, self.obstacle)

    def embed(self, version: str, candidates: Sequence[Hit]) -> Embedded:
        self.asked.append([hit.id for hit in candidates])
        found = {hit.id: self.vectors[hit.id] for hit in candidates if hit.id in self.vectors}
        return Embedded(found, dict.fromkeys(found, "embedded"))


@pytest.fixture
def old(vectors: Callable[..., np.ndarray]) -> dict[str, Entry]:
    return {f"old-{n:02}": Entry(f"old-{n:02}", "v1", row) for n, row in enumerate(vectors(OLD, 8, seed=1))}


@pytest.fixture
def own(vectors: Callable[..., np.ndarray]) -> dict[str, Entry]:
    return {f"own-{n}": Entry(f"own-{n}", "v4", row) for n, row in enumerate(vectors(OWN, 16, seed=2))}


@pytest.fixture
def adapter(store: Store) -> LinearAdapter:
    """v4 searches entries of v1 through this, with a shift, and only in a cascade of 6."""
    drawn = np.random.default_rng(3)
    adapter = LinearAdapter.of(drawn.normal(size=(8, 16)), 0.3 * drawn.normal(size=16))
    digest = store.adapters.register("v4", "v1", adapter).digest
    store.calibrations.record([MeasuredCalibration("v4", "v1", 0.15, adapter=digest)])
    measured = (0.7, 0.6, 0.05, 0.2, True, "e")
    store.compatibility.record([Compatibility("v4", "v1", *measured, adapter=digest, candidates=6)])
    return adapter


@pytest.fixture
def gallery(store: Store, adapter: LinearAdapter, old: dict[str, Entry], own: dict[str, Entry]) -> Gallery:
    opened = Gallery(store)
    opened.upsert([*old.values(), *own.values()])
    return opened


def named(found: SearchResult) -> list[str]:
    return [hit.id for hit in found.hits]


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_cascade_is_its_definition(
    gallery: Gallery,
    adapter: LinearAdapter,
    old: dict[str, Entry],
    own: dict[str, Entry],
    vectors: Callable[..., np.ndarray],
) -> None:
    seen = dict(zip(old, vectors(OLD, 16, seed=4), strict=True))
    queries = vectors(6, 16, seed=5)

    @settings(max_examples=80, deadline=None)
    @given(
        row=st.integers(0, 5),
        candidates=st.integers(1, OLD + OWN + 5),
        k=st.integers(1, OLD + OWN),
        visible=st.sets(st.sampled_from(sorted(old))),
        versions=st.sampled_from([None, ["v1"], ["v4"]]),
        left_out=st.sampled_from([None, "old-03", "own-1"]),
    )
    def check(
        row: int,
        candidates: int,
        k: int,
        visible: set[str],
        versions: list[str] | None,
        left_out: str | None,
    ) -> None:
        query = queries[row]
        recall = {
            name: float(adapter.apply(entry.vector[None])[0] @ query) + 0.15 for name, entry in old.items()
        }
        exact = {name: float(entry.vector @ query) for name, entry in own.items()}
        there = {**(exact if versions != ["v1"] else {}), **(recall if versions != ["v4"] else {})}
        there.pop(left_out or "", None)
        order = sorted(there, key=lambda name: (-there[name], name))
        size = max(candidates, 6) if versions != ["v4"] else 0
        pool = order[:size]
        known = {name: float(seen[name] @ query) for name in pool if name in visible}
        mine = [name for name in order if name in own][:size]
        placed = {name: known.get(name, there[name]) for name in {*pool, *mine}}
        expected = sorted(placed, key=lambda name: (-placed[name], name))
        expected += [name for name in order if name not in placed]

        eyes = Eyes({name: seen[name] for name in visible}, candidates)
        found = gallery.search(query, "v4", k, versions=versions, leave_out=left_out, cascade=eyes)
        assert named(found) == expected[:k]
        missing = [name for name in pool if name in old]
        assert eyes.asked == ([missing] if missing else [])
        if size:
            assert found.cascade is not None
            assert found.cascade.recalled == len(pool)
            assert found.cascade.own == len(pool) - len(missing)
            assert found.cascade.embedded == len(known)
            assert found.cascade.over_budget == len(missing) - len(known)
        for hit in found.hits:
            assert hit.calibrated == pytest.approx(placed.get(hit.id, there[hit.id]), abs=1e-5)
            way = "own" if hit.id in own or hit.id in known else "adapter"
            assert found.ranked_by(hit) == way
            assert hit.score == pytest.approx(hit.calibrated - 0.15 * (way == "adapter"), abs=1e-5)

    check()


def test_a_pair_that_needs_a_cascade_is_left_out_without_one(
    gallery: Gallery, vectors: Callable[..., np.ndarray]
) -> None:
    query = vectors(1, 16)[0]
    eyes = Eyes({})
    assert gallery.search(query, "v4", cascade=eyes).searched == ["v1", "v4"]
    blind = Eyes({}, obstacle="none may be read here")
    for cascade in (None, blind):
        alone = gallery.search(query, "v4", cascade=cascade)
        assert (alone.searched, alone.excluded, alone.cascade) == (["v4"], {"v1": OLD}, None)
    with pytest.raises(IncompatibleError, match=r"only in a cascade,.* and none may be read here"):
        gallery.search(query, "v4", versions=["v1"], cascade=blind)
    gallery.delete([f"own-{n}" for n in range(OWN)])
    with pytest.raises(IncompatibleError, match="only in a cascade") as refused:
        gallery.search(query, "v4")
    assert "holdfast evaluate" not in str(refused.value)
    assert gallery.search(query, "v4", cascade=eyes).searched == ["v1"]


def test_a_pair_that_meets_without_is_ranked_anew_only_where_that_is_asked_for(
    store: Store, gallery: Gallery, old: dict[str, Entry], vectors: Callable[..., np.ndarray], adapter: object
) -> None:
    (row,) = store.adapters.list()
    store.compatibility.record(
        [Compatibility("v4", "v1", 0.7, 0.6, 0.05, 0.2, True, "e", adapter=row.digest)]
    )
    gallery.refresh()
    query = vectors(1, 16)[0]
    seen = dict(zip(old, vectors(OLD, 16, seed=4), strict=True))
    assert gallery.search(query, "v4", cascade=Eyes(seen)).cascade is None
    plain = gallery.search(query, "v4")
    assert gallery.search(query, "v4", cascade=Eyes(seen)) == plain
    anew = gallery.search(query, "v4", cascade=Eyes(seen, always=True))
    assert anew.cascade is not None
    assert anew.cascade.recalled == 10
