"""Any sequence of writes and searches gives what a dict and plain numpy give."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from holdfast.base import IncompatibleError, InvalidVectorError, NotFoundError
from holdfast.entries import Entries, Entry
from holdfast.search import Gallery
from holdfast.store import Compatibility, Store

IDS = st.sampled_from([f"e{n}" for n in range(4)])
VERSIONS = st.sampled_from(["v1", "v1", "v2", "v3"])
ROWS = st.integers(0, 31)
COLORS = st.sampled_from(["red", "blue"])
PRICES = st.sampled_from([1, 2.5, 4])
FILTERS = st.one_of(
    st.none(),
    st.fixed_dictionaries({"color": COLORS}),
    st.fixed_dictionaries({"price": st.fixed_dictionaries({"gte": PRICES})}),
    st.fixed_dictionaries(
        {"color": st.just({"in": ["red", "green"]}), "price": st.fixed_dictionaries({"lt": PRICES})}
    ),
)


def _matches(attributes: dict[str, Any], raw: dict[str, Any] | None) -> bool:
    for key, wanted in (raw or {}).items():
        if key not in attributes:
            return False
        value = attributes[key]
        if not isinstance(wanted, dict):
            holds = value == wanted
        elif "in" in wanted:
            holds = value in wanted["in"]
        else:
            holds = value >= wanted["gte"] if "gte" in wanted else value < wanted["lt"]
        if not holds:
            return False
    return True


class Machine(RuleBasedStateMachine):
    """Two galleries over one database: one writes, the other only follows."""

    store: Store
    rows: np.ndarray

    def __init__(self) -> None:
        super().__init__()
        self.gallery: Gallery
        self.model: dict[str, tuple[str, int, dict[str, Any]]] = {}
        self.measured = {("v1", "v1"), ("v2", "v2"), ("v3", "v3")}

    @initialize()
    def begin(self) -> None:
        with self.store.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM entries")
            connection.exec_driver_sql("DELETE FROM compatibility")
            connection.exec_driver_sql("UPDATE counters SET value = 0 WHERE name <> 'versions'")
        self.gallery = Gallery(self.store)
        self.follower = Gallery(self.store)
        self.entries = Entries(self.store)
        self.last = 0
        for query, gallery in ("v2", "v1"), ("v3", "v1"), ("v3", "v2"), ("v1", "v2"):
            self.measure(query, gallery, True)

    @rule(
        batch=st.lists(
            st.tuples(
                IDS, VERSIONS, ROWS, st.fixed_dictionaries({}, optional={"color": COLORS, "price": PRICES})
            ),
            min_size=1,
            max_size=4,
        ),
        here=st.booleans(),
    )
    def upsert(self, batch: list[tuple[str, str, int, dict[str, Any]]], here: bool) -> None:
        given = [Entry(name, version, self.rows[row], attributes) for name, version, row, attributes in batch]
        seq = (self.gallery if here else self.entries).upsert(given)
        assert seq == self.last + len(batch)
        self.last = seq
        self.model |= {name: (version, row, attributes) for name, version, row, attributes in batch}

    @rule(ids=st.lists(IDS, max_size=3), here=st.booleans())
    def delete(self, ids: list[str], here: bool) -> None:
        seq = (self.gallery if here else self.entries).delete(ids)
        gone = set(ids) & self.model.keys()
        assert seq == self.last + len(gone)
        self.last = seq
        for name in gone:
            del self.model[name]

    @rule(good=IDS, bad=IDS)
    def upsert_that_is_refused(self, good: str, bad: str) -> None:
        with pytest.raises(InvalidVectorError):
            self.gallery.upsert([Entry(good, "v1", self.rows[0]), Entry(bad, "v1", self.rows[0] * 2)])

    @rule(query=VERSIONS, gallery=VERSIONS, verdict=st.sampled_from([True, True, True, False]))
    def measure(self, query: str, gallery: str, verdict: bool) -> None:
        self.store.compatibility.record(
            [Compatibility(query, gallery, 0.7, 0.6, 0.0, 0.2, verdict, "evaluation")]
        )
        if query != gallery:
            (self.measured.add if verdict else self.measured.discard)((query, gallery))

    @rule(name=IDS)
    def get(self, name: str) -> None:
        try:
            found = self.gallery.get(name)
        except NotFoundError:
            assert name not in self.model
            return
        version, row, attributes = self.model[name]
        assert (found.version, found.attributes) == (version, attributes)
        assert np.array_equal(found.vector, self.rows[row])

    @rule(
        query=ROWS,
        version=VERSIONS,
        k=st.integers(1, 10),
        raw=FILTERS,
        versions=st.none() | st.lists(VERSIONS, unique=True, max_size=3),
        follow=st.booleans(),
    )
    def search(
        self,
        query: int,
        version: str,
        k: int,
        raw: dict[str, Any] | None,
        versions: list[str] | None,
        follow: bool,
    ) -> None:
        gallery = self.follower if follow else self.gallery
        gallery.refresh()
        self.check(gallery, query, version, k, raw, versions)

    def check(
        self,
        gallery: Gallery,
        query: int,
        version: str,
        k: int,
        raw: dict[str, Any] | None,
        versions: list[str] | None,
    ) -> None:
        held = {held_by for held_by, _, _ in self.model.values()}
        searched = held if versions is None else held & set(versions)
        refused = {name for name in searched if (version, name) not in self.measured}
        if refused and (versions is not None or refused == searched):
            with pytest.raises(IncompatibleError) as raised:
                gallery.search(self.rows[query], version, filter=raw, versions=versions)
            assert all(name in str(raised.value) for name in refused)
            return
        found = gallery.search(
            self.rows[query], version, k=k, filter=raw, versions=versions, min_seq=self.last
        )
        searched -= refused
        assert found.searched == sorted(searched)
        assert found.seq == self.last
        counts = [held_by for held_by, _, _ in self.model.values()]
        assert found.excluded == {name: counts.count(name) for name in refused}
        scores = {
            name: float(self.rows[row] @ self.rows[query])
            for name, (held_by, row, attributes) in self.model.items()
            if held_by in searched and _matches(attributes, raw)
        }
        assert len(found.hits) == len({hit.id for hit in found.hits}) == min(k, len(scores))
        for hit in found.hits:
            assert (hit.embedded_by, hit.attributes) == (self.model[hit.id][0], self.model[hit.id][2])
            assert np.isclose(hit.score, scores[hit.id], atol=1e-6)
        best = sorted(scores.values(), reverse=True)[:k]
        assert np.allclose([hit.score for hit in found.hits], best, atol=1e-6)

    @rule()
    def reopen(self) -> None:
        self.gallery = Gallery(self.store)

    @invariant()
    def both_galleries_follow(self) -> None:
        if not hasattr(self, "gallery"):
            return
        for gallery in (self.gallery, self.follower):
            gallery.refresh()
            for raw in (None, {"color": "red"}, {"price": {"gte": 2}}):
                self.check(gallery, 0, "v1", 2, raw, ["v1"])
        held = [version for version, _, _ in self.model.values()]
        assert self.gallery.stats().entries == {name: held.count(name) for name in sorted(set(held))}
        assert self.entries.count() == self.gallery.stats().entries

    def teardown(self) -> None:
        if hasattr(self, "gallery"):
            report = self.gallery.verify()
            assert report.ok, report.problems
            assert self.follower.verify().ok


# Which database makes no difference to the index, and it would double the longest test.
@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_gallery_behaves_as_a_dict(store: Store, vectors: Callable[..., np.ndarray]) -> None:
    Machine.store = store
    Machine.rows = vectors(32)
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
