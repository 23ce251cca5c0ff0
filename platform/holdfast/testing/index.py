"""What every index keeps to."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from holdfast.adapters import LinearAdapter
from holdfast.filters import parse_filter
from holdfast.index import Index, ReadWriteLock, Way, pull_back, search_many
from holdfast.store import Changes
from holdfast.testing.filters import ATTRIBUTES, PLAIN, filters, matches
from holdfast.testing.index_model import Machine
from holdfast.testing.index_rows import Opened, Row, changes, contents, vectors


class IndexContract:
    """Give it the fixture `opened`."""

    @pytest.fixture
    def opened(self, tmp_path: Path) -> Opened:
        raise NotImplementedError("give the suite a fixture `opened`")

    @pytest.fixture
    def index(self, opened: Opened) -> Index:
        return opened.index

    def test_an_empty_index_finds_nothing(self, index: Index) -> None:
        assert (index.applied, index.follow()) == (0, 0)
        assert (index.versions(), index.count(), list(index.keys())) == ([], {}, [])
        assert index.search(vectors(1)[0], 10, ["v1", "v2"]) == []
        assert index.held("v1", ["a"]) == {}
        index.apply(Changes())
        index.apply(changes([("a", "v1", None, {})]))
        assert (index.applied, index.versions()) == (1, [])

    def test_rows_in_any_chunks_give_the_same_state(self, opened: Opened) -> None:
        generator = np.random.default_rng(0)
        rows = clustered(40, 8)
        written: list[Row] = []
        for n in range(40):
            gone = generator.random() < 0.3
            written.append(
                (
                    f"e{generator.integers(15)}",
                    f"v{generator.integers(1, 3)}",
                    None if gone else rows[n],
                    {"n": n},
                )
            )
        # The database shows the last row of an id only, in the order of the numbers.
        last = {row[0]: n for n, row in enumerate(written)}
        states = []
        for size in (1, 7, 40):
            index = opened.index
            index.clear()
            for start in range(0, len(written), size):
                chunk = range(start, min(start + size, len(written)))
                kept = [n for n in chunk if last[written[n][0]] == n or size == 1]
                batch = changes([written[n] for n in kept])
                if kept:
                    index.apply(
                        Changes(
                            batch.ids, [n + 1 for n in kept], batch.versions, batch.vectors, batch.attributes
                        )
                    )
            hits = [hit.id for hit in index.search(rows[0], 15, ["v1", "v2"])]
            states.append((contents(index), index.count(), index.applied, hits))
        assert states[0] == states[1] == states[2]
        assert {identifier for _, identifier in states[0][0]} == {
            name for name, n in last.items() if written[n][2] is not None
        }

    def test_rows_that_are_applied_again_change_nothing(self, index: Index) -> None:
        rows = vectors(4)
        batch = changes([("a", "v1", rows[0], {"n": 1}), ("b", "v2", rows[1], {}), ("c", "v1", None, {})])
        index.apply(batch)
        before = contents(index), index.count(), index.applied
        index.apply(batch)
        assert (contents(index), index.count(), index.applied) == before
        assert [hit.id for hit in index.search(rows[0], 10, ["v1"])] == ["a"]

    def test_more_hits_than_entries_are_all_entries(self, index: Index) -> None:
        index.apply(changes([(f"e{n}", f"v{n % 2 + 1}", row, {}) for n, row in enumerate(vectors(7))]))
        found = index.search(vectors(1)[0], 10_000, ["v1", "v2", "v7"])
        assert sorted(hit.id for hit in found) == [f"e{n}" for n in range(7)]
        assert {hit.embedded_by for hit in index.search(vectors(1)[0], 10_000, ["v2"])} == {"v2"}

    def test_equal_scores_come_in_the_order_of_their_ids(self, index: Index) -> None:
        row = vectors(1)[0]
        index.apply(changes([(name, version, row, {}) for name, version in zip("dbca", ["v1", "v2"] * 2)]))  # noqa: B905
        assert [hit.id for hit in index.search(row, 4, ["v1", "v2"])] == ["a", "b", "c", "d"]

    def test_recall_scores_and_rare_filters(self, opened: Opened) -> None:
        index = opened.index
        rows, queries = clustered(3000), clustered(25, seed=1)
        index.apply(
            changes(
                [
                    (f"e{n}", "v1" if n < 2000 else "v2", row, {"share": n % 1000, "half": n % 2 == 0})
                    for n, row in enumerate(rows)
                ]
            )
        )
        opened.settle(index)
        able = index.capabilities
        assert index.count() == {"v1": 2000, "v2": 1000}
        assert (index.bytes() == 0) == able.remote
        scores = queries.astype(np.float64) @ rows.T.astype(np.float64)
        half = {"half": True}
        for raw, matching in ((None, np.ones(3000, bool)), (half, np.arange(3000) % 2 == 0)):
            hits = 0
            together = search_many(index, queries, 10, ["v1", "v2"], parse_filter(raw), [])
            for number, query in enumerate(queries):
                found = index.search(query, 10, ["v1", "v2"], parse_filter(raw))
                assert [hit.id for hit in together[number]] == [hit.id for hit in found]
                for one, other in zip(together[number], found, strict=True):
                    assert abs(one.score - other.score) <= able.tolerance
                assert len(found) == len({hit.id for hit in found}) == 10
                best = np.argsort(-np.where(matching, scores[number], -np.inf))[:10]
                hits += len({f"e{n}" for n in best} & {hit.id for hit in found})
                for hit in found:
                    n = int(hit.id[1:])
                    assert matching[n]
                    assert hit.embedded_by == ("v1" if n < 2000 else "v2")
                    assert abs(hit.score - scores[number][n]) <= able.tolerance
                assert all(a.score >= b.score for a, b in itertools.pairwise(found))
            assert hits >= 250 * (1.0 if able.exact else able.recall)
        # A filter that leaves one entry in a thousand leaves three: all of them are found.
        for number in (0, 17, 999):
            rare = parse_filter({"share": number})
            for query in queries[:5]:
                found = index.search(query, 3, ["v1", "v2"], rare)
                assert {hit.id for hit in found} == {f"e{n}" for n in range(number, 3000, 1000)}

    def test_filters_mean_what_they_say(self, index: Index) -> None:
        rows, forms = vectors(12), index.capabilities.filters
        listed = "lists" in forms

        @settings(max_examples=25, suppress_health_check=list(HealthCheck))
        @given(
            attributes=st.lists(ATTRIBUTES if listed else PLAIN, min_size=12, max_size=12),
            asked=st.lists(filters(forms), min_size=4, max_size=4),
        )
        def check(attributes: list[dict[str, Any]], asked: list[dict[str, Any]]) -> None:
            index.apply(changes([(f"e{n}", "v1", rows[n], each) for n, each in enumerate(attributes)]))
            # What some entry holds is asked for as well, or most filters would match nothing.
            there = [
                {key: value[0] if isinstance(value, list) else value}
                for each in attributes[:3]
                for key, value in each.items()
                if value != []
            ]
            for raw in (*asked, *there):
                expected = {f"e{n}" for n, each in enumerate(attributes) if matches(each, raw)}
                found = index.search(rows[0], 12, ["v1"], parse_filter(raw))
                assert {hit.id for hit in found} == expected
                for hit in found:
                    assert hit.attributes == attributes[int(hit.id[1:])]

        check()

    def test_an_index_behaves_as_a_dict(self, opened: Opened) -> None:
        Machine.opened = opened
        Machine.rows = vectors(16)
        slow = opened.index.capabilities.remote
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=5 if slow else 50,
                stateful_step_count=12,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )

    def test_it_goes_on_after_a_restart(self, opened: Opened) -> None:
        rows = vectors(6)
        written: list[Row] = [(f"e{n}", "v1", row, {"n": n}) for n, row in enumerate(rows)]
        written += [("e1", "v2", rows[0], {}), ("e2", "v1", None, {})]
        opened.index.apply(changes(written[:4]))
        again = opened.reopen()
        assert again.applied == (4 if again.capabilities.durable else 0)
        assert again.count() == ({"v1": 4} if again.capabilities.durable else {})
        for start, end in (0, 4), (4, 8):
            if again.applied == start:
                again.apply(changes(written[start:end], start))
        assert (again.applied, again.count()) == (8, {"v1": 4, "v2": 1})
        assert sorted(hit.id for hit in again.search(rows[0], 10, ["v1", "v2"])) == [
            "e0",
            "e1",
            "e3",
            "e4",
            "e5",
        ]
        again.clear()
        assert (again.applied, again.count(), list(again.keys())) == (0, {}, [])

    def test_searches_go_on_while_another_thread_applies(self, index: Index) -> None:
        rows = clustered(1200)
        lock = ReadWriteLock()
        done = threading.Event()

        def search(seed: int) -> int:
            count = 0
            while not done.is_set():
                with lock.reading():
                    applied = index.applied
                    found = index.search(rows[seed], 10, ["v1", "v2"])
                assert len(found) == len({hit.id for hit in found}) == min(10, applied)
                assert all(np.isclose(hit.score, rows[int(hit.id[1:]) % 600] @ rows[seed]) for hit in found)
                count += 1
            return count

        with ThreadPoolExecutor(3) as pool:
            searching = [pool.submit(search, seed) for seed in range(3)]
            # Every entry moves to the other version in the second half, to a vector of the same direction.
            for start in range(0, 1200, 200):
                batch: list[Row] = [
                    (f"e{n % 600}", "v1" if n < 600 else "v2", rows[n % 600], {})
                    for n in range(start, start + 200)
                ]
                with lock.writing():
                    index.apply(changes(batch, start))
            done.set()
            assert all(future.result(60) for future in searching)
        assert index.count() == {"v2": 600}

    def test_what_is_prepared_beside_searches_is_applied(self, index: Index) -> None:
        rows, generator = clustered(3000), np.random.default_rng(0)
        held: dict[str, int] = {}
        for start in range(0, 6000, 500):
            # New ids, known ones with other vectors, and some that go, in one step.
            put = {f"e{n}": (n + start) % 3000 for n in generator.choice(4000, 400, replace=False).tolist()}
            gone = [name for name in list(held)[:100] if name not in put]
            batch: list[Row] = [(name, "v1", rows[n], {"n": n}) for name, n in put.items()]
            step = changes([*batch, *((name, "v1", None, {}) for name in gone)], start)
            index.prepare(step)
            assert index.count() == ({"v1": len(held)} if held else {})
            index.apply(step)
            held = {name: n for name, n in (held | put).items() if name not in gone}
            assert index.count() == {"v1": len(held)}
        found = index.held("v1", list(held))
        kept = np.stack([np.frombuffer(found[name][0], "<f4") for name in held])
        assert np.allclose(kept, rows[list(held.values())], atol=2e-3)
        best = index.search(rows[next(iter(held.values()))], 1, ["v1"])[0]
        assert best.score > 0.99
        assert held[best.id] == best.attributes["n"]

    def test_another_query_and_a_calibration_for_a_version(self, index: Index) -> None:
        narrow, wide = vectors(20), vectors(20, 16, seed=1)
        written: list[Row] = [(f"n{n}", "v1", row, {}) for n, row in enumerate(narrow)]
        index.apply(changes([*written, *((f"w{n}", "v4", row, {}) for n, row in enumerate(wide))]))
        query, mapped = vectors(1, 16, seed=2)[0], vectors(1, seed=3)[0]
        found = index.search(query, 12, ["v1", "v4"], None, {"v1": Way(None, mapped, 0.25)})
        scores = {f"n{n}": float(row @ mapped) for n, row in enumerate(narrow)}
        scores |= {f"w{n}": float(row @ query) for n, row in enumerate(wide)}
        ranks = {name: score + 0.25 if name[0] == "n" else score for name, score in scores.items()}
        assert [hit.id for hit in found] == sorted(ranks, key=lambda name: -ranks[name])[:12]
        assert all(np.isclose(hit.score, scores[hit.id], atol=1e-5) for hit in found)

    @pytest.mark.parametrize("bias", [0.0, 0.1])
    def test_entries_are_searched_through_a_linear_map(self, opened: Opened, bias: float) -> None:
        index = opened.index
        rows, generator = clustered(3000), np.random.default_rng(0)
        turn = np.linalg.qr(generator.normal(size=(16, 16)))[0]
        # Without a bias the map turns, and nothing may be lost; with it, lengths change.
        matrix = turn if not bias else turn + 0.05 * generator.normal(size=(16, 16))
        adapter = LinearAdapter.of(matrix, bias * generator.normal(size=16) if bias else None)
        index.apply(changes([(f"e{n}", "v1", row, {}) for n, row in enumerate(rows)]))
        opened.settle(index)
        able = index.capabilities
        near = max(1e-5, able.tolerance)
        mapped = adapter.apply(rows)
        hits = 0
        for query in adapter.apply(clustered(20, seed=1)):
            way = Way(None, pull_back(adapter, query), -1.0, adapter)
            found = index.search(query, 10, ["v1"], None, {"v1": way})
            scores = mapped @ query
            hits += len({f"e{n}" for n in np.argsort(-scores)[:10]} & {hit.id for hit in found})
            assert all(np.isclose(hit.score, scores[int(hit.id[1:])], atol=near) for hit in found)
        assert hits >= 200 * (0.98 * able.recall if bias or not able.exact else 1.0)


def clustered(count: int, dimension: int = 16, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    centers = np.random.default_rng(100).normal(size=(50, dimension))
    drawn = centers[generator.integers(0, 50, count)] + 0.3 * generator.normal(size=(count, dimension))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
