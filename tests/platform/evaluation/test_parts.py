"""A gallery in several spaces against the formula: one ranking, each part with the queries mapped into it."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.adapters import Meeting
from holdfast.base import DataError
from holdfast.evaluation import Part, deal, score, score_parts, summarize_mixed

SMALL = st.integers(-2, 2)


@dataclass(frozen=True, eq=False)
class Projection:
    """An adapter that leaves the norms as they come."""

    matrix: np.ndarray

    def apply(self, vectors):
        return vectors @ self.matrix


@st.composite
def parted_cases(draw):
    """Queries, their labels, parts and the gallery's labels; small whole numbers, so that many scores tie."""
    width = draw(st.integers(1, 3))
    count, sizes = draw(st.integers(1, 8)), draw(st.lists(st.integers(0, 5), min_size=1, max_size=4))
    if not sum(sizes):
        sizes[0] = 1

    def matrix(rows, columns):
        row = st.lists(SMALL, min_size=columns, max_size=columns)
        return np.array(draw(st.lists(row, min_size=rows, max_size=rows)), np.float32).reshape(rows, columns)

    places = np.array(draw(st.permutations(range(sum(sizes)))))
    parts, start = [], 0
    for size in sizes:
        mapped = draw(st.booleans())
        own = draw(st.integers(1, 3)) if mapped else width
        projection = matrix(width, own)
        shift = draw(st.sampled_from([0.0, 1.0, -1.0]))
        meeting = Meeting(Projection(projection) if mapped else None, "queries", shift)
        positions = np.sort(places[start : start + size])
        parts.append(Part(matrix(size, own), positions, meeting))
        start += size
    labels = st.integers(0, 3)
    query_labels = np.array(draw(st.lists(labels, min_size=count, max_size=count)))
    gallery_labels = np.array(draw(st.lists(labels, min_size=start, max_size=start)))
    return matrix(count, width), query_labels, parts, gallery_labels


@settings(deadline=None, max_examples=200)
@given(case=parted_cases(), block_bytes=st.sampled_from([1, 500, 64 * 2**20]))
def test_one_ranking_over_all_parts_with_ties_and_with_any_block(case, block_bytes):
    """Mapped, calibrated, both or neither."""
    queries, query_labels, parts, gallery_labels = case
    products = np.empty((len(queries), len(gallery_labels)))
    for part in parts:
        queries_there, items = part.meeting.together(queries, part.items)
        products[:, part.positions] = queries_there @ items.T + part.meeting.shift
    scores = score_parts(queries, query_labels, parts, gallery_labels, block_bytes=block_bytes)
    for i, row in enumerate(products):
        order = np.argsort(-row, kind="stable")
        hits = gallery_labels[order] == query_labels[i]
        relevant = hits.sum()
        precision = np.cumsum(hits) / np.arange(1, len(hits) + 1) * hits
        expected = precision[:relevant].sum() / relevant if relevant else 0.0
        assert [n for n in scores.top[i] if n >= 0] == order[:5].tolist()
        assert scores.recall_at_1[i] == hits[0]
        assert scores.recall_at_5[i] == hits[:5].any()
        assert scores.ap_at_r[i] == pytest.approx(expected, abs=1e-6)
        assert scores.similarity[i, 0] == row.max()


def test_parts_without_a_map_are_the_plain_score(lineage):
    line = lineage(1)
    shares, assignment = deal(line.gallery * 3, line.gallery_labels, 3)
    parts = [Part(share, np.flatnonzero(assignment == number)) for number, share in enumerate(shares)]
    found = score_parts(line.queries[0], line.query_labels, parts, line.gallery_labels)
    plain = score(line.queries[0], line.query_labels, line.gallery[0], line.gallery_labels)
    assert found.percent() == plain.percent()
    assert np.array_equal(found.top, plain.top)


def test_the_right_maps_make_a_mixed_gallery_whole_again(lineage):
    """Three frames and widths of one model: mapped back, the mixed gallery is the first version's own."""
    line = lineage(1)
    generator = np.random.default_rng(1)
    wider = np.linalg.qr(generator.normal(size=(24, 24)))[0][:16].astype(np.float32)  # 16 -> 24, an isometry
    turn = np.linalg.qr(generator.normal(size=(16, 16)))[0].astype(np.float32)
    galleries = (line.gallery[0] @ frame for frame in (np.eye(16, dtype=np.float32), turn, wider))
    shares, assignment = deal(galleries, line.gallery_labels, 3)
    maps = [None, Projection(turn), Projection(wider)]
    parts = [
        Part(share, np.flatnonzero(assignment == number), Meeting(maps[number], "queries"))
        for number, share in enumerate(shares)
    ]
    found = score_parts(line.queries[0], line.query_labels, parts, line.gallery_labels)
    plain = score(line.queries[0], line.query_labels, line.gallery[0], line.gallery_labels)
    assert found.percent() == pytest.approx(plain.percent(), abs=1.0)
    assert np.allclose(found.similarity, plain.similarity, atol=1e-5)
    lost = [Part(part.items, part.positions) for part in parts[:2]]
    lost.append(Part(parts[2].items[:, :16], parts[2].positions))
    without = score_parts(line.queries[0], line.query_labels, lost, line.gallery_labels)
    assert without.recall_at_1.mean() < found.recall_at_1.mean() - 0.1


def test_parts_that_are_met_through_one_map_are_one_gallery(lineage):
    """As the galleries of projections over one base are."""
    line = lineage(1)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(16, 16)))[0].astype(np.float32)
    shares, assignment = deal([line.gallery[0]] * 3, line.gallery_labels, 3)
    meeting = Meeting(Projection(turn), "entries")
    parts = [
        Part(share, np.flatnonzero(assignment == number), meeting) for number, share in enumerate(shares)
    ]
    found = score_parts(line.queries[0], line.query_labels, parts, line.gallery_labels)
    whole = score(line.queries[0], line.query_labels, line.gallery[0] @ turn, line.gallery_labels)
    assert np.array_equal(found.top, whole.top)
    assert found.percent() == whole.percent()


def test_a_version_that_cannot_search_it_all_has_no_figures(lineage):
    line = lineage(2)
    shares, assignment = deal(line.gallery, line.gallery_labels, 2)
    parts = [Part(share, np.flatnonzero(assignment == number)) for number, share in enumerate(shares)]
    newest = score_parts(line.queries[1], line.query_labels, parts, line.gallery_labels)
    oldest_self, newest_self = (line.scores()[n][n].outcome() for n in (0, 1))
    summary = summarize_mixed(line.names, [None, newest], assignment, oldest_self, newest_self)
    assert summary["recall_at_1"] == [None, newest.percent()["recall_at_1"]]
    assert summary["intervals"][0] is None
    low, high = summary["intervals"][1]
    assert low <= summary["recall_at_1"][1] <= high
    assert summary["newest_self_interval"][0] <= summary["newest_self"] <= summary["newest_self_interval"][1]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([], "each of its entries once"),
        ([Part(np.ones((2, 3), np.float32), np.array([0, 1]))], "each of its entries once"),
        ([Part(np.ones((3, 3), np.float32), np.array([0, 1, 1]))], "each of its entries once"),
        (
            [Part(np.ones((3, 2), np.float32), np.array([0, 1, 2]))],
            "dimension 3 cannot search .* dimension 2",
        ),
        ([Part(np.ones((2, 3), np.float32), np.array([0, 1, 2]))], "one label a vector"),
        ([Part(np.full((3, 3), np.nan, np.float32), np.array([0, 1, 2]))], "NaN"),
    ],
)
def test_parts_that_are_no_gallery_are_refused(parts, message):
    with pytest.raises(DataError, match=message):
        score_parts(np.ones((2, 3), np.float32), np.array([0, 1]), parts, np.array([0, 1, 1]))
