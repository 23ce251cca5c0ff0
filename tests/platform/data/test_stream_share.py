"""A share of the training images: nested, at least one of every class, and nothing else moves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from holdfast.data import ImageSet, StreamConfig, build_stream


def images(sizes):
    labels = np.array([f"class-{number:02d}" for number, size in enumerate(sizes) for _ in range(size)])
    ids = np.array([f"{number:04d}" for number in range(len(labels))])
    pixels = np.zeros((len(labels), 1, 8, 8), np.uint8)
    return ImageSet(pixels, labels, labels, ids, {"label": labels}, "stream")


@given(
    sizes=st.lists(st.integers(4, 20), min_size=4, max_size=8),
    shares=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)).map(sorted),
    scenario=st.sampled_from(["class-incremental", "extended-class", "data-incremental"]),
    seed=st.integers(0, 9),
)
@settings(max_examples=40)
def test_a_smaller_share_is_part_of_a_larger_one(sizes, shares, scenario, seed):
    data = images(sizes)

    def tasks(share):
        config = StreamConfig(tasks=2, scenario=scenario, share=share, validation=0.2)
        return build_stream(config, data, seed)

    small, large, whole = (tasks(share) for share in (*shares, 1.0))
    plain = build_stream(StreamConfig(tasks=2, scenario=scenario, validation=0.2), data, seed)
    for less, more, every, before in zip(small, large, whole, plain, strict=True):
        assert set(less.train) <= set(more.train) <= set(every.train)
        assert less.classes == every.classes
        np.testing.assert_array_equal(less.validation, every.validation)
        np.testing.assert_array_equal(every.train, before.train)


def test_takes_so_many_of_every_class():
    config = StreamConfig(tasks=1, share=0.1, validation=0.2)
    (task,) = build_stream(config, images([20, 20, 40]), 0)
    _, counts = np.unique(images([20, 20, 40]).labels[task.train], return_counts=True)
    assert counts.tolist() == [2, 2, 3]


@pytest.mark.parametrize("share", [0, -0.5, 1.5])
def test_is_a_share(share):
    with pytest.raises(ValidationError, match="share"):
        StreamConfig(tasks=1, share=share)
