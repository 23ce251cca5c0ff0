import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score
from sklearn.neighbors import NearestNeighbors

from experiments.benchmarks.harness.child import module_command, module_environment
from holdfast.base import DataError
from holdfast.evaluation import Scores, score
from holdfast.evaluation.retrieval import block_rows

ROOT = Path(__file__).parents[3]


def clustered(generator: np.random.Generator, labels: np.ndarray, classes: int) -> np.ndarray:
    centres = np.random.default_rng(99).normal(size=(classes, 16))
    vectors = centres[labels] + 1.2 * generator.normal(size=(len(labels), 16))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def by_the_book(queries, query_labels, gallery, gallery_labels, leave_one_out=False):
    """The definitions, one query and one rank at a time."""
    rows = []
    for i, query in enumerate(queries):
        order = sorted(range(len(gallery)), key=lambda n: (-float(query @ gallery[n]), n))
        order = [n for n in order if not (leave_one_out and n == i)]
        hits = [bool(gallery_labels[n] == query_labels[i]) for n in order]
        relevant = sum(hits)
        precision = sum(sum(hits[: r + 1]) / (r + 1) for r in range(relevant) if hits[r])
        rows.append((hits[0], any(hits[:5]), precision / relevant if relevant else 0.0, relevant, order[:5]))
    return rows


def assert_by_the_book(scores: Scores, *case, **options) -> None:
    for i, (first, five, precision, relevant, top) in enumerate(by_the_book(*case, **options)):
        assert scores.recall_at_1[i] == first
        assert scores.recall_at_5[i] == five
        assert scores.ap_at_r[i] == pytest.approx(precision, abs=1e-6)
        assert scores.relevant[i] == relevant
        assert [n for n in scores.top[i] if n >= 0] == top


@st.composite
def tied_cases(draw):
    """Small whole numbers as coordinates: products are exact in float32, and many are equal."""
    dimension = draw(st.integers(1, 3))

    def side():
        count = draw(st.integers(1, 12))
        row = st.lists(st.integers(-2, 2), min_size=dimension, max_size=dimension)
        vectors = draw(st.lists(row, min_size=count, max_size=count))
        labels = draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))
        return np.array(vectors, np.float32), np.array(labels)

    return *side(), *side()


@settings(deadline=None, max_examples=200)
@given(case=tied_cases(), block_bytes=st.sampled_from([1, 1000, 64 * 2**20]))
def test_definitions_hold_with_ties_and_with_any_block(case, block_bytes):
    assert_by_the_book(score(*case, block_bytes=block_bytes), *case)


@settings(deadline=None, max_examples=100)
@given(case=tied_cases(), block_bytes=st.sampled_from([1, 64 * 2**20]))
def test_leave_one_out_never_finds_the_query_itself(case, block_bytes):
    _, _, gallery, labels = case
    if len(gallery) < 2:
        return
    scores = score(gallery, labels, gallery, labels, leave_one_out=True, block_bytes=block_bytes)
    assert not (scores.top == np.arange(len(gallery))[:, None]).any()
    assert_by_the_book(scores, gallery, labels, gallery, labels, leave_one_out=True)


def test_a_collapsed_model_is_ranked_by_position():
    """All products are equal: every rank is a tie, the boundary of the search included."""
    labels = np.arange(400) % 40
    ones = np.ones((400, 2), np.float32)
    scores = score(ones, labels, ones, labels)
    assert (scores.top == np.arange(5)).all()
    assert scores.recall_at_1.mean() == 1 / 40
    assert_by_the_book(scores, ones, labels, ones, labels)


def test_classes_of_very_different_sizes():
    """R from 1 to 900: queries are searched in several depths, and come back in their own order."""
    generator = np.random.default_rng(0)
    labels = np.concatenate([np.full(900, 0), np.full(150, 1), np.full(20, 2), [3], [4, 4]])
    generator.shuffle(labels)
    gallery, query_labels = clustered(generator, labels, 6), generator.integers(0, 6, size=60)
    queries = clustered(generator, query_labels, 6)
    scores = score(queries, query_labels, gallery, labels)
    assert set(scores.relevant.tolist()) == {0, 1, 2, 20, 150, 900}
    for i in range(len(queries)):  # sklearn's AP over the first R ranks divides by the hits there, ours by R
        relevant, products = scores.relevant[i], gallery @ queries[i]
        best = np.argsort(-products)[:relevant]
        hits = labels[best] == query_labels[i]
        expected = (
            average_precision_score(hits, products[best]) * hits.sum() / relevant if hits.any() else 0.0
        )
        assert scores.ap_at_r[i] == pytest.approx(expected, abs=1e-6)


def test_recall_equals_scikit_learn_neighbours():
    generator = np.random.default_rng(1)
    query_labels, gallery_labels = np.arange(300) % 60, np.arange(900) % 60
    queries, gallery = clustered(generator, query_labels, 60), clustered(generator, gallery_labels, 60)
    scores = score(queries, query_labels, gallery, gallery_labels)
    found = (
        NearestNeighbors(n_neighbors=5, metric="cosine")
        .fit(gallery)
        .kneighbors(queries, return_distance=False)
    )
    hits = gallery_labels[found] == query_labels[:, None]
    assert scores.recall_at_1.mean() == pytest.approx(hits[:, 0].mean(), abs=1e-6)
    assert scores.recall_at_5.mean() == pytest.approx(hits.any(axis=1).mean(), abs=1e-6)
    assert 0.1 < scores.recall_at_1.mean() < 0.95  # neither chance nor perfect, or the test says nothing


def test_recall_and_map_equal_pytorch_metric_learning(tmp_path):
    generator = np.random.default_rng(2)
    cases = {}

    def case(name: str, query_labels: np.ndarray, gallery_labels: np.ndarray, classes: int) -> None:
        cases[f"{name}.query_labels"], cases[f"{name}.gallery_labels"] = query_labels, gallery_labels
        cases[f"{name}.queries"] = clustered(generator, query_labels, classes)
        cases[f"{name}.gallery"] = clustered(generator, gallery_labels, classes)

    case("balanced", np.arange(200) % 40, np.arange(600) % 40, 40)
    case("one_relevant_each", np.arange(150), np.arange(150), 150)
    sizes = np.repeat(np.arange(10), [1, 1, 2, 3, 5, 8, 13, 90, 120, 200])
    case("uneven", np.arange(80) % 10, sizes, 10)
    case("leave_one_out", sizes[2:], sizes[2:], 10)
    cases["leave_one_out.queries"] = cases["leave_one_out.gallery"]
    np.savez(tmp_path / "cases.npz", **cases)
    oracle = Path(__file__).with_name("pml_oracle.py")
    run = subprocess.run(
        [sys.executable, oracle, tmp_path / "cases.npz"],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    expected = json.loads(run.stdout.strip().splitlines()[-1])
    assert len(expected) == 4
    for name, answer in expected.items():
        parts = ("queries", "query_labels", "gallery", "gallery_labels")
        ours = score(*(cases[f"{name}.{p}"] for p in parts), leave_one_out=name == "leave_one_out").percent()
        assert ours["recall_at_1"] / 100 == pytest.approx(answer["precision_at_1"], abs=1e-6), name
        assert ours["map_at_r"] / 100 == pytest.approx(answer["mean_average_precision_at_r"], abs=1e-6), name
        assert 0.0 < ours["map_at_r"] < 100.0


def test_labels_beyond_float32_and_of_text_are_told_apart():
    """Two numbers that are one in float32, as some libraries would compare them."""
    gallery = np.array([[1, 0], [0, 1]], np.float32)
    near = np.array([[0.8, 0.6]], np.float32)
    labels = np.array([2**24, 2**24 + 1])
    assert score(near, labels[1:], gallery, labels).recall_at_1[0] == 0
    assert score(near, np.array(["b"]), gallery, np.array(["a", "b"])).recall_at_1[0] == 0
    assert score(near, np.array(["a"]), gallery, np.array(["a", "b"])).recall_at_1[0] == 1


def test_a_query_without_relevant_items_scores_zero_and_is_told():
    scores = score(
        np.eye(2, dtype=np.float32), np.array([0, 7]), np.eye(2, dtype=np.float32), np.array([0, 1])
    )
    assert scores.relevant.tolist() == [1, 0]
    assert scores.recall_at_5.tolist() == [1, 0]
    assert scores.ap_at_r.tolist() == [1, 0]


def test_a_gallery_smaller_than_five_is_padded():
    scores = score(
        np.eye(2, dtype=np.float32), np.array([0, 1]), np.eye(2, dtype=np.float32), np.array([0, 1])
    )
    assert scores.top[0].tolist() == [0, 1, -1, -1, -1]
    assert scores.similarity[0, :2].tolist() == [1, 0]
    assert np.isnan(scores.similarity[0, 2:]).all()


def test_an_outcome_keeps_the_hits_and_the_means():
    labels = np.arange(27) % 9
    space = clustered(np.random.default_rng(0), labels, 9)
    scores = score(space, labels, space, labels, leave_one_out=True)
    assert scores.outcome().percent() == scores.percent()
    assert 100 * scores.outcome().hits.mean() == pytest.approx(scores.percent()["recall_at_1"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"queries": np.zeros((0, 4), np.float32), "query_labels": np.zeros(0, int)}, "empty"),
        ({"gallery_labels": np.arange(3)}, "one label a vector"),
        ({"queries": np.full((2, 4), np.nan, np.float32)}, "NaN"),
        ({"queries": np.zeros((2, 5), np.float32)}, "dimension 5"),
        ({"leave_one_out": True}, "same images"),
    ],
)
def test_impossible_arguments_are_named(change, words):
    arguments = {
        "queries": np.ones((2, 4), np.float32),
        "query_labels": np.arange(2),
        "gallery": np.ones((4, 4), np.float32),
        "gallery_labels": np.arange(4),
        **change,
    }
    with pytest.raises(DataError, match=words):
        score(**arguments)


@settings(deadline=None)
@given(gallery=st.integers(1, 10**6), depth=st.integers(1, 10**5), block=st.integers(1, 2**30))
def test_a_block_keeps_to_its_bytes(gallery, depth, block):
    rows = block_rows(gallery, depth, block)
    assert rows >= 1
    assert rows == 1 or rows * 4 * gallery <= block


def test_a_gallery_of_100000_stays_far_below_one_gibibyte():
    """2,000 of 100,000 queries: what a block needs does not depend on how many blocks follow."""
    module = "experiments.benchmarks.learning.evaluation_memory"
    run = subprocess.run(
        module_command(module, "--queries", "2000", "--gallery", "100000", "--dimension", "64"),
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
        env=module_environment(),
    )
    figures = json.loads(run.stdout.splitlines()[-1])
    per_query = 3 * 4 + 8 + 5 * (8 + 4) + 4 * 8  # a query's scores, and its class, R and place in the order
    at_100000_queries = figures["extra_mib"] + 98_000 * per_query / 2**20
    assert 10 < figures["extra_mib"] < 300
    assert at_100000_queries < 1024
