"""Quantized vectors give what exact ones give, whatever was added, replaced, moved and removed before."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.adapters import LinearAdapter
from holdfast.index.config import IndexConfig
from holdfast.index.local import quantized
from holdfast.index.local.flat import FlatVectors
from holdfast.index.local.quantized import QuantizedVectors
from holdfast.index.local.rebuild import tune
from holdfast.index.local.vectors import Through, Vectors
from holdfast.models import CodeShape, orthonormal_codebooks

ALL_LISTS = IndexConfig(kind="quantized", nprobe=1_000_000, rerank=50)


def clustered(count: int, dimension: int = 32, clusters: int = 200, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    centers = centers_of(clusters, dimension)
    drawn = centers[generator.integers(0, clusters, count)] + 0.08 * generator.normal(size=(count, dimension))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def centers_of(clusters: int = 200, dimension: int = 32) -> np.ndarray:
    centers = np.random.default_rng(100).normal(size=(clusters, dimension))
    return centers / np.linalg.norm(centers, axis=1, keepdims=True)


def clusters_of(rows: np.ndarray) -> np.ndarray:
    return np.argmax(rows @ centers_of().T, axis=1)


def filled(rows: np.ndarray, config: IndexConfig, folder: Path | None = None) -> QuantizedVectors:
    vectors = QuantizedVectors.train(rows, len(rows), config, folder)
    vectors.extend(rows)
    return vectors


def recall(vectors: Vectors, rows: np.ndarray, queries: np.ndarray, only: np.ndarray | None = None) -> float:
    exact = FlatVectors(rows.shape[1])
    exact.extend(rows)
    hits = 0
    for query in queries:
        best = exact.search(query, 10, only)[1]
        found = vectors.search(query, 10, only)[1]
        assert len(set(found.tolist())) == 10
        hits += len(set(best.tolist()) & set(found.tolist()))
    return hits / (10 * len(queries))


@pytest.mark.parametrize("codes", ["pq4", "sq8"])
def test_recall_scores_and_filters(codes: str, tmp_path: Path) -> None:
    rows, queries = clustered(20_000), clustered(50, seed=1)
    vectors = filled(rows, IndexConfig(codes=codes, nprobe=32), tmp_path)
    assert recall(vectors, rows, queries) >= 0.99
    scores, slots = vectors.search(queries[0], 10)
    assert np.allclose(scores, rows[slots] @ queries[0], atol=1e-3)
    assert (np.diff(scores) <= 0).all()
    assert np.array_equal(vectors.rows(slots), rows[slots].astype(np.float16).astype(np.float32))
    generator = np.random.default_rng(2)
    for share in (0.001, 0.1, 0.5):
        only = generator.random(len(rows)) < share
        assert recall(vectors, rows, queries, only) >= 0.99
    # What matches lies in other clusters than the query, so that the nearest lists hold none of it.
    labels = clusters_of(rows)
    for query in queries[:10]:
        others = generator.permutation(np.setdiff1d(np.arange(200), clusters_of(query[None])))[:80]
        assert recall(vectors, rows, query[None], np.isin(labels, others)) >= 0.9


def test_orthonormal_codes_are_trained_on_no_entries(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(100, 256))
    drawn = centres[generator.integers(0, 100, 4000)] + 0.5 * generator.normal(size=(4000, 256))
    drawn = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    rows, queries = drawn[:3950], drawn[3950:]
    vectors = filled(rows, IndexConfig(codes="orthonormal"), tmp_path)
    words = faiss.vector_to_array(vectors.index.pq.centroids)
    assert np.array_equal(words, orthonormal_codebooks(CodeShape(256, 16, 16)).ravel())
    assert (vectors.codes, vectors.index.code_size) == ("orthonormal", 8)
    tune(vectors, 0.95)
    assert recall(vectors, rows, queries) >= 0.93

    odd = clustered(1000)[:, :31].copy()
    assert filled(odd, IndexConfig(codes="orthonormal")).codes == "sq8"


def test_vectors_that_a_folder_holds_are_not_in_memory(tmp_path: Path) -> None:
    rows = clustered(20_000)
    on_disk, in_memory = filled(rows, ALL_LISTS, tmp_path), filled(rows, ALL_LISTS)
    assert in_memory.bytes() - on_disk.bytes() >= rows.nbytes // 2
    assert list(tmp_path.iterdir()) == []


def test_entries_that_an_adapter_maps_are_found_without_a_copy(tmp_path: Path) -> None:
    rows, queries = clustered(20_000), clustered(30, seed=1)
    generator = np.random.default_rng(3)
    turn = np.linalg.qr(generator.normal(size=(32, 32)))[0]
    adapter = LinearAdapter.of(
        turn + 0.05 * generator.normal(size=(32, 32)), 0.05 * generator.normal(size=32)
    )
    vectors, exact = filled(rows, IndexConfig(nprobe=32), tmp_path), FlatVectors(32)
    exact.extend(adapter.apply(rows))
    hits = 0
    for query in adapter.apply(queries):
        scores, slots = vectors.search(adapter.matrix @ query, 10, None, Through(adapter, query))
        best_scores, best = exact.search(query, 10)
        hits += len(set(best.tolist()) & set(slots.tolist()))
        assert np.isclose(scores[0], best_scores[0], atol=2e-3)
    assert hits >= 0.98 * 300


@settings(max_examples=60)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("extend"), st.integers(1, 60)),
            st.tuples(st.just("replace"), st.integers(1, 60)),
            st.tuples(st.just("truncate"), st.integers(0, 80)),
            st.tuples(st.just("settle"), st.just(0)),
        ),
        max_size=12,
    ),
    seed=st.integers(0, 100),
)
def test_whatever_changes_searches_see_it(steps: list[tuple[str, int]], seed: int) -> None:
    generator = np.random.default_rng(seed)
    pool = clustered(1000, 8, 50, seed=5)
    held = pool[:300].copy()
    vectors = filled(held, ALL_LISTS)
    for step, size in steps:
        drawn = pool[generator.integers(0, len(pool), size)]
        if step == "extend":
            vectors.extend(drawn)
            held = np.concatenate([held, drawn])
        elif step == "replace" and len(held):
            slots = generator.choice(len(held), min(size, len(held)), replace=False)
            vectors.replace(slots, drawn[: len(slots)])
            held[slots] = drawn[: len(slots)]
        elif step == "truncate":
            held = held[: max(0, len(held) - size)]
            vectors.truncate(len(held))
        elif step == "settle":
            vectors.drop_outdated()
        assert len(vectors) == len(held)
        if not len(held):
            continue
        query = pool[generator.integers(0, len(pool))]
        only = generator.random(len(held)) < 0.5 if generator.random() < 0.3 else None
        matching = np.arange(len(held)) if only is None else np.flatnonzero(only)
        k = min(10, len(matching))
        if k:
            scores, slots = vectors.search(query, k, only)
            assert len(set(slots.tolist())) == k
            assert set(slots.tolist()) <= set(matching.tolist())
            assert np.allclose(scores, held[slots] @ query, atol=2e-3)
            assert np.allclose(scores, np.sort(held[matching] @ query)[::-1][:k], atol=3e-3)


def test_outdated_codes_are_removed_together_and_hide_nothing_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantized, "OUTDATED", 400)
    rows = clustered(5000)
    vectors = filled(rows, ALL_LISTS)
    removals = 0
    remove = vectors.index.remove_ids

    def counted(ids: object) -> object:
        nonlocal removals
        removals += 1
        return remove(ids)

    monkeypatch.setattr(vectors.index, "remove_ids", counted)
    # One slot again and again, near the others of its cluster: its old codes crowd the lists.
    for turn in range(quantized.OUTDATED - 1):
        vectors.replace(np.array([7]), rows[[turn % 5]])
    assert removals == 0
    assert vectors.index.ntotal == len(rows) + quantized.OUTDATED - 1
    for query in (rows[7], rows[(quantized.OUTDATED - 2) % 5], rows[100]):
        scores, slots = vectors.search(query, 10)
        held = vectors.rows(np.arange(len(rows))) @ query
        assert len(set(slots.tolist())) == 10
        assert np.allclose(scores, np.sort(held)[::-1][:10], atol=2e-3)
    vectors.replace(np.array([8]), rows[[1]])
    assert (removals, vectors.index.ntotal) == (1, len(rows))
    assert {7, 8} & set(vectors.search(rows[1], 3)[1].tolist())


def test_a_query_by_many_threads_is_one_query() -> None:
    rows, queries = clustered(20_000), clustered(200, seed=1)
    index = filled(rows, IndexConfig(nprobe=8))
    alone = [index.search(query, 10)[1].tolist() for query in queries]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            together = list(pool.map(lambda query: index.search(query, 10)[1].tolist(), queries))
            assert together == alone


def test_a_query_of_another_dimension_reads_no_memory_beyond_it() -> None:
    vectors = filled(clustered(2_000), ALL_LISTS)
    for width in (16, 64):
        with pytest.raises(ValueError, match=f"queries of {width} dimensions among vectors of 32"):
            vectors.search(np.ones(width, np.float32), 5)
