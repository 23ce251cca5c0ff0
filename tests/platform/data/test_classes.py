"""The classes of texts of any length are those that numpy finds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.data import number_classes
from holdfast.data.shares import draw_evenly


@given(labels=st.lists(st.text(st.characters(codec="utf-8"), max_size=3), min_size=1, max_size=30))
def test_texts_as_objects_are_numbered_as_numpy_has_it(labels: list[str]) -> None:
    # A text at whose end numpy's fixed width would drop something is none of the source's.
    labels = [label.rstrip("\0") for label in labels]
    found = number_classes(np.array(labels, dtype=object))
    names, codes, sizes = np.unique(np.array(labels), return_inverse=True, return_counts=True)
    assert found.names.tolist() == names.tolist()
    assert found.codes.tolist() == codes.tolist()
    assert found.sizes.tolist() == sizes.tolist()


def test_numbers_are_classes_too() -> None:
    found = number_classes(np.array([5, 3, 5]))
    assert (found.names.tolist(), found.codes.tolist(), found.sizes.tolist()) == ([3, 5], [1, 0, 1], [1, 2])


@pytest.mark.parametrize(("most", "each"), [(100, [50, 6, 4]), (18, [6, 6, 4]), (5, [2, 2, 1])])
def test_as_many_of_every_class_as_there_is_room_for(most: int, each: list[int]) -> None:
    classes = np.repeat([0, 1, 2], [50, 6, 4])
    drawn = draw_evenly(classes, most, np.random.default_rng(0))
    assert (np.diff(drawn) > 0).all()
    assert sorted(np.bincount(classes[drawn]).tolist()) == sorted(each)
    np.testing.assert_array_equal(drawn, draw_evenly(classes, most, np.random.default_rng(0)))
