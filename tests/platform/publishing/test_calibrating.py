from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import adapters
from holdfast.evaluation import Part, assign_versions, score_parts
from holdfast.publishing import calibrating as module
from holdfast.publishing.calibrating import (
    FittedShift,
    Sides,
    choose_images,
    fit_shift,
    nearest,
    search_halves,
)

CLASSES, EACH = 30, 8
LABELS = np.repeat([f"c{n:02}" for n in range(CLASSES)], EACH)


def embed(noise: float, seed: int, width: int = 16) -> np.ndarray:
    """The same classes in one space, more or less blurred."""
    centres = np.random.default_rng(0).normal(size=(CLASSES, width))
    blur = np.random.default_rng(seed).normal(size=(len(LABELS), width))
    vectors = np.repeat(centres, EACH, axis=0) + noise * blur
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def lifted(vectors: np.ndarray, share: float) -> np.ndarray:
    """One component that all have in common: every inner product s becomes (1 - share) s + share."""
    whole = np.full((len(vectors), 1), share**0.5)
    return np.hstack([(1 - share) ** 0.5 * vectors, whole]).astype(np.float32)


def fit(own: Sides, other: Sides, labels: np.ndarray = LABELS, seed: int = 0) -> FittedShift:
    return fit_shift(search_halves(own, labels, seed), search_halves(other, labels, seed))


def test_entries_whose_scores_are_all_higher_are_put_back_in_their_place():
    vectors = embed(1.0, 1)
    one = np.ones((len(vectors), 1), np.float32)
    plain, higher = (
        Sides(vectors, vectors),
        Sides(np.hstack([vectors, one]), np.hstack([vectors, 0.3 * one])),
    )
    for own, other, shift in (plain, higher, -0.3), (higher, plain, 0.3):
        found = fit(own, other)
        assert found.shift == pytest.approx(shift, abs=1e-5)
        assert found.helps
        assert found.gain > 2
        assert found.low <= found.gain <= found.high


def test_versions_whose_scores_are_alike_are_left_alone():
    vectors = embed(1.0, 1)
    same = fit(Sides(vectors, vectors), Sides(vectors, vectors))
    assert same == FittedShift(0.0, 0.0, 0.0, 0.0)
    assert not same.helps
    for seed in range(2, 6):  # another blur, but nobody is higher
        found = fit(Sides(vectors, vectors), Sides(vectors, embed(1.0, seed)))
        assert abs(found.shift) < 0.02
        assert abs(found.gain) < 1


@pytest.mark.parametrize(
    ("gain", "low", "helps"), [(0.5, 0.01, True), (0.5, 0.0, False), (0.5, -0.2, False), (0.09, 0.05, False)]
)
def test_a_shift_helps_if_its_gain_is_certain_and_worth_it(gain, low, helps):
    assert FittedShift(-0.01, gain, low, 1.0).helps is helps


def test_entries_of_a_worse_version_need_more_than_a_shift():
    found = fit(Sides(embed(1.3, 1), embed(1.3, 1)), Sides(embed(1.3, 1), embed(1.5, 2)))
    assert not found.helps
    assert found.low <= 0 <= found.high


@pytest.mark.parametrize("seed", [0, 1])
def test_the_gain_is_that_of_recall_in_a_gallery_of_both(seed):
    newer, older = embed(0.8, 1), lifted(embed(1.2, 2), 0.3)
    queries = lifted(newer, 0.3)
    found = fit(Sides(newer, newer), Sides(queries, older), LABELS, seed)
    dealt = assign_versions(LABELS, 2, seed).astype(bool)
    recall = dict.fromkeys((0.0, found.shift), 0.0)
    for shift in recall:
        for mine in (dealt, ~dealt):
            # Nobody finds itself, so each query goes alone, without its own entry.
            for i in range(len(LABELS)):
                rest = np.arange(len(LABELS)) != i
                kept = mine[rest]
                parts = [
                    Part(newer[rest][kept], np.flatnonzero(kept)),
                    Part(
                        older[rest][~kept],
                        np.flatnonzero(~kept),
                        adapters.Meeting(
                            SimpleNamespace(apply=lambda rows, i=i: queries[i : i + 1]), "queries", shift
                        ),
                    ),
                ]
                scores = score_parts(newer[i : i + 1], LABELS[i : i + 1], parts, LABELS[rest])
                recall[shift] += 100 * float(scores.recall_at_1[0]) / (2 * len(LABELS))
    assert found.gain == pytest.approx(recall[found.shift] - recall[0.0], abs=1e-6)
    assert found.gain != 0


@given(
    codes=st.lists(st.integers(0, 3), min_size=1, max_size=9),
    data=st.data(),
)
def test_the_nearest_right_and_wrong_entries_are_those_of_the_formula(codes, data):
    codes = np.array(codes)
    cell = st.lists(st.integers(-2, 2), min_size=2, max_size=2)
    rows = st.lists(cell, min_size=len(codes), max_size=len(codes))
    queries, entries = (np.array(data.draw(rows), np.float32) for _ in range(2))
    among = np.array(data.draw(st.lists(st.booleans(), min_size=len(codes), max_size=len(codes))))
    found = nearest(Sides(queries, entries), codes, among)
    for half, part in zip(found, (among, ~among), strict=True):
        for i in range(len(codes)):
            scores = {"right": [-np.inf], "wrong": [-np.inf]}
            for j in np.flatnonzero(part):
                if i != j:
                    kind = "right" if codes[i] == codes[j] else "wrong"
                    scores[kind].append(float(queries[i] @ entries[j]))
            assert (half.right[i], half.wrong[i]) == (max(scores["right"]), max(scores["wrong"]))


def test_blocks_change_nothing(monkeypatch):
    vectors, raised = embed(1.0, 1), lifted(embed(1.0, 2), 0.2)
    meetings = Sides(vectors, vectors), Sides(raised, raised)
    whole = fit(*meetings)
    monkeypatch.setattr(module, "_BLOCK", 7)
    assert fit(*meetings).shift == pytest.approx(whole.shift, abs=1e-6)


def test_one_class_has_nothing_to_compare():
    vectors = embed(1.0, 1)[:6]
    assert fit(Sides(vectors, vectors), Sides(vectors, vectors), LABELS[:6]).shift == 0.0


@given(counts=st.lists(st.integers(1, 60), min_size=1, max_size=40), seed=st.integers(0, 3))
def test_images_are_chosen_by_whole_classes_and_not_too_many(counts, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST_IMAGES", 100)
        chosen = choose_images(labels, seed, 1)
        assert np.array_equal(chosen, choose_images(labels, seed, 1))
    assert len(chosen) <= 100
    assert np.array_equal(chosen, np.unique(chosen))
    kept = np.bincount(labels[chosen], minlength=len(counts))
    cut = (kept > 0) & (kept < counts)
    if sum(counts) <= 100:
        assert len(chosen) == sum(counts)
    # Only where two classes alone are too many is any of them cut.
    assert not cut.any() or (kept > 0).sum() <= 2
