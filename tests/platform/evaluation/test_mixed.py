import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.base import DataError
from holdfast.evaluation import assign_versions, compare_pair, deal, score, summarize_mixed


@given(st.lists(st.integers(0, 6), min_size=1, max_size=80), st.integers(1, 6), st.integers(0, 3))
def test_shares_are_equal_in_every_class_and_over_all(labels, versions, seed):
    labels = np.array(labels)
    assignment = assign_versions(labels, versions, seed)
    for chosen in [np.ones(len(labels), bool), *(labels == c for c in np.unique(labels))]:
        counts = np.bincount(assignment[chosen], minlength=versions)
        assert len(counts) == versions
        assert counts.max() - counts.min() <= 1
    assert (assignment == assign_versions(labels, versions, seed)).all()


def test_another_seed_deals_other_entries():
    labels = np.arange(300) % 20
    assert (assign_versions(labels, 3, 0) != assign_versions(labels, 3, 1)).any()


def test_one_version_over_itself_is_its_self_test(lineage, mix):
    line = lineage(1)
    own = score(line.queries[0], line.query_labels, line.gallery[0], line.gallery_labels)
    mixed, assignment = mix(line.gallery * 3, line.gallery_labels, 3)
    scores = score(line.queries[0], line.query_labels, mixed, line.gallery_labels)
    assert scores.percent() == own.percent()
    assert np.bincount(assignment).tolist() == [60, 60, 60]


def test_entries_are_searched_as_their_version_embedded_them(lineage, mix):
    """A second version that is another space altogether finds only its own entries, and wrong ones."""
    line = lineage(1)
    stranger = np.roll(line.gallery[0], 5, axis=1)
    mixed, assignment = mix(iter([line.gallery[0], stranger]), line.gallery_labels, 2)
    scores = score(line.queries[0], line.query_labels, mixed, line.gallery_labels)
    own = score(line.queries[0], line.query_labels, line.gallery[0], line.gallery_labels)
    assert scores.recall_at_1.mean() < own.recall_at_1.mean()
    right = scores.top[scores.recall_at_1 > 0, 0]
    assert (assignment[right] == 0).mean() > 0.7


def test_the_summary_has_every_query_version_and_both_references(lineage, mix):
    line = lineage(3)
    entries, assignment = mix(line.gallery, line.gallery_labels, 3, seed=1)
    mixed = [score(q, line.query_labels, entries, line.gallery_labels) for q in line.queries]
    oldest, newest = line.scores()[0][0].outcome(), line.scores()[2][2].outcome()
    summary = summarize_mixed(line.names, mixed, assignment, oldest, newest)
    assert summary["entries"] == [60, 60, 60]
    assert summary["recall_at_1"] == [m.percent()["recall_at_1"] for m in mixed]
    assert summary["oldest_self"] == oldest.percent()["recall_at_1"]
    assert sum(summary["first_hits"]) == pytest.approx(1.0)
    assert summary["against_oldest"] == compare_pair(mixed[2].outcome(), oldest).as_dict()
    for value, (low, high) in zip(summary["recall_at_1"], summary["intervals"], strict=True):
        assert low <= value <= high


def test_the_summary_tells_what_calibration_did(lineage, mix):
    line = lineage(2)
    entries, assignment = mix(line.gallery, line.gallery_labels, 2, seed=1)
    mixed = [score(q, line.query_labels, entries, line.gallery_labels) for q in line.queries]
    oldest, newest = line.scores()[0][0].outcome(), line.scores()[1][1].outcome()
    plain = summarize_mixed(line.names, mixed, assignment, oldest, newest)
    assert (plain["uncalibrated"], plain["against_uncalibrated"]) == (None, None)
    found = summarize_mixed(line.names, mixed, assignment, oldest, newest, mixed[0].outcome())
    assert found["uncalibrated"] == mixed[0].percent()["recall_at_1"]
    comparison = compare_pair(mixed[1].outcome(), mixed[0].outcome()).as_dict()
    assert found["against_uncalibrated"] == comparison
    assert found["recall_at_1"][-1] == comparison["value"]


def test_a_gallery_needs_a_version_and_all_entries_of_each(lineage):
    line = lineage(1)
    for galleries in ([], [line.gallery[0][1:]]):
        with pytest.raises(DataError, match="A mixed gallery needs"):
            deal(galleries, line.gallery_labels, 1)
