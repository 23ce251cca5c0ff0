"""A version beside what there would be without it."""

import numpy as np
import pytest

from holdfast.evaluation import choose_validation, validate_version
from holdfast.evaluation.baselines import FEWEST_CLASSES, MOST_IMAGES, Standing


def embedded(labels: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """Unit vectors, of which each finds one of its class, but for those that are `wrong`: they lie nearest to
    the next class, and in nobody's way."""
    classes, codes = np.unique(labels, return_inverse=True)
    vectors = np.eye(len(classes) + 1, dtype=np.float32)[codes]
    vectors[wrong] = np.eye(len(classes) + 1, dtype=np.float32)[(codes[wrong] + 1) % len(classes)]
    vectors[wrong, -1] = 1
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


LABELS = np.repeat([f"class {number:02d}" for number in range(30)], 4)
NOTHING = np.zeros(len(LABELS), bool)


def first_of(classes: int) -> np.ndarray:
    """One image of each of so many classes."""
    return np.isin(np.arange(len(LABELS)), np.arange(classes) * 4)


def test_what_is_surely_worse_is_told_from_what_is_not() -> None:
    good, bad = embedded(LABELS, NOTHING), embedded(LABELS, first_of(20))
    found = validate_version(bad, {"base": good, "parent": bad}, LABELS, NOTHING)
    assert found is not None
    base, parent = found.standings
    assert found.recall_at_1 == pytest.approx(100 * (1 - 20 / 120))
    assert base.difference == pytest.approx(-100 * 20 / 120)
    assert base.low < base.difference < base.high < 0
    assert found.losses == [base]
    assert parent.difference == 0
    assert not parent.surely_worse
    better = validate_version(good, {"base": bad}, LABELS, NOTHING)
    assert better is not None
    assert better.losses == []
    assert found.as_dict()["standings"][0]["surely_worse"]


@pytest.mark.parametrize(
    ("difference", "high", "worse"), [(-0.9, -0.2, False), (-1.0, -0.2, True), (-9.0, 0.0, False)]
)
def test_the_rule(difference: float, high: float, worse: bool) -> None:
    standing = Standing("base", False, 50 + difference, 50, difference, difference - 1, high)
    assert standing.surely_worse == worse


def test_classes_that_nothing_was_learned_of_have_a_say_of_their_own() -> None:
    """Lost where nothing was learned, and as much won elsewhere: on the whole nothing has happened."""
    held_out = LABELS >= "class 15"
    lost, won = first_of(30) & held_out, first_of(30) & ~held_out
    found = validate_version(embedded(LABELS, lost), {"base": embedded(LABELS, won)}, LABELS, held_out)
    assert found is not None
    whole, unseen = found.standings
    assert (found.classes, found.held_out_classes) == (30, 15)
    assert not whole.held_out
    assert not whole.surely_worse
    assert unseen.held_out
    assert found.losses == [unseen]


def test_too_few_of_such_classes_have_none() -> None:
    held_out = f"class {30 - FEWEST_CLASSES + 1:02d}" <= LABELS
    found = validate_version(embedded(LABELS, NOTHING), {"base": embedded(LABELS, NOTHING)}, LABELS, held_out)
    assert found is not None
    assert [each.held_out for each in found.standings] == [False]


def test_an_image_alone_of_its_class_asks_nothing() -> None:
    labels = np.append(LABELS, "alone")
    vectors = embedded(labels, np.zeros(len(labels), bool))
    found = validate_version(vectors, {}, labels, np.zeros(len(labels), bool))
    assert found is not None
    assert (found.queries, found.classes, found.recall_at_1) == (len(LABELS), 30, 100.0)
    assert validate_version(vectors[::4], {}, labels[::4], np.zeros(31, bool)) is None


def test_a_base_may_have_another_width() -> None:
    wide = np.hstack([embedded(LABELS, NOTHING), np.zeros((len(LABELS), 7), np.float32)])
    found = validate_version(embedded(LABELS, NOTHING), {"base": wide}, LABELS, NOTHING)
    assert found is not None
    assert found.standings[0].difference == 0


@pytest.mark.parametrize(("classes", "each"), [(100, 4), (500, 40), (20_000, 3)])
def test_many_images_are_drawn_evenly_and_again_the_same(classes: int, each: int) -> None:
    labels = np.tile(np.arange(classes), each)
    chosen = choose_validation(labels, 3)
    assert np.array_equal(chosen, choose_validation(labels, 3))
    assert np.array_equal(chosen, np.unique(chosen))
    assert len(chosen) <= MOST_IMAGES
    assert len(chosen) >= min(len(labels), MOST_IMAGES * 0.9)
    counts = np.bincount(labels[chosen], minlength=classes)
    assert counts[counts > 0].min() >= 2
    assert counts.max() - counts[counts > 0].min() <= 1


def test_without_images_there_is_nothing_to_say():
    nothing = np.empty((0, 4), np.float32)
    assert validate_version(nothing, {"parent": nothing}, np.empty(0, str), np.empty(0, bool)) is None
