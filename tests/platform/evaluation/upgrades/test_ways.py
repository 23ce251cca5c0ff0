"""The ways of an upgrade on planted spaces, against what can be said of them by hand."""

import numpy as np
import pytest

from holdfast.adapters import AS_THEY_ARE, LinearAdapter, Meeting
from holdfast.evaluation import (
    ADAPTER,
    NAIVE,
    RE_EMBED,
    STATUS_QUO,
    Agreement,
    Labels,
    Sides,
    Views,
    Way,
    compare_ways,
    match_thresholds,
    pairs_from,
    search_ways,
    with_ceiling,
)


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def planted() -> tuple[Sides, np.ndarray, Meeting]:
    """300 entries of 30 classes that ask each other; the new space is the old one turned, with half the
    noise, and the map turns it."""
    generator = np.random.default_rng(0)
    labels = np.arange(300) % 30
    middles = unit(generator.normal(size=(30, 24)))[labels]
    noise = generator.normal(size=(300, 24)) / 5
    turn = np.linalg.qr(generator.normal(size=(24, 24)))[0].astype(np.float32)
    old, new = unit(middles + noise), unit((middles + noise / 2) @ turn)
    sides = Sides(old, new, old, new, np.arange(300))
    return sides, labels.astype(str), Meeting(LinearAdapter.of(turn), "entries")


def test_every_way_is_measured_against_the_status_quo(planted: tuple[Sides, np.ndarray, Meeting]) -> None:
    sides, labels, meeting = planted
    truth = Labels(labels, labels, sides.own)
    answers = with_ceiling(search_ways(sides, meeting), truth, sides)
    figures = {figure.way: figure for figure in compare_ways(answers, truth)}
    value = {way: figure.comparison.value for way, figure in figures.items()}
    assert list(map(str, figures)) == [
        "status quo",
        "naive swap",
        "adapter",
        "cascade of 10",
        "cascade of 50",
        "cascade of 200",
        "old ceiling",
        "re-embedding",
    ]
    assert figures[STATUS_QUO].comparison.difference == 0
    assert figures[NAIVE].is_worse
    assert value[NAIVE] < 20
    assert value[STATUS_QUO] < value[ADAPTER] < value[RE_EMBED]
    assert figures[RE_EMBED].is_better
    assert value[Way("cascade", 200)] == pytest.approx(value[RE_EMBED], abs=0.5)
    assert figures[Way("cascade", 50)].is_better


def test_recall_is_counted_as_by_hand() -> None:
    old = unit(np.array([[1.0, 0], [0.9, 0.1], [0, 1], [0.5, 0.5]]))
    new = old[::-1].copy()
    own = np.arange(4)
    sides = Sides(old, new, old, new, own)
    truth = Labels(*[np.array(["a", "a", "b", "c"])] * 2, own)
    assert truth.answerable.tolist() == [True, True, False, False]
    figures = {each.way: each for each in compare_ways(search_ways(sides, AS_THEY_ARE, [2]), truth)}
    assert figures[STATUS_QUO].comparison.value == 100
    # By the new version entry 0 is nearest to 1, as before, and 1 to 0 or 3, of which the nearer is 3.
    assert figures[RE_EMBED].comparison.value == pytest.approx(
        100 * np.mean([new[0] @ new[1] > new[0] @ new[3], new[1] @ new[0] > new[1] @ new[3]])
    )


def test_pairs_views_and_agreement_say_what_is_right() -> None:
    own = np.array([0, 1, -1])
    pairs = pairs_from(
        ["q", "r", "s"], ["q", "r", "x"], [("q", "q"), ("r", "x"), ("s", "x"), ("s", "y")], own
    )
    assert pairs.answerable.tolist() == [False, True, True]
    assert pairs.right(np.array([2, 2, 0])).tolist() == [False, True, False]
    assert Views(np.array([2, 0])).right(np.array([2, 1])).tolist() == [True, False]
    vectors = unit(np.random.default_rng(1).normal(size=(20, 4)))
    sides = Sides(vectors, vectors, vectors, vectors, np.arange(20))
    agreement = Agreement.of(sides)
    figures = {each.way: each for each in compare_ways(search_ways(sides, AS_THEY_ARE), agreement)}
    assert figures[RE_EMBED].comparison.value == figures[STATUS_QUO].comparison.value == 100


def test_matched_thresholds_let_the_same_share_of_false_pairs_pass(
    planted: tuple[Sides, np.ndarray, Meeting],
) -> None:
    sides, labels, meeting = planted
    truth = Labels(labels, labels, sides.own)
    found = match_thresholds(sides, meeting, truth)
    assert [each.rate for each in found] == [0.1, 0.01, 0.001]  # 87,000 pairs cannot tell one in 10,000
    for each in found:
        for vectors, threshold in ((sides.old_entries, each.old), (sides.new_entries, each.new)):
            products = vectors @ vectors.T
            false = products[labels[:, None] != labels]
            assert (false >= threshold).mean() == pytest.approx(each.rate, rel=0.02)
        assert each.old_found is not None
        assert each.new_found is not None
        assert each.new_found > each.old_found
