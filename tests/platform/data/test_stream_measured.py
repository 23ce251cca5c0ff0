"""Versions are measured on so many validation images of a task, and what is left out is said."""

import numpy as np
import pytest

from holdfast.data import ImageSet, StreamConfig, build_stream, note_measured
from holdfast.data import stream as module


def test_of_many_validation_images_an_even_sample_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.repeat(["a", "b", "c", "d"], [40, 40, 80, 20])
    ids = np.arange(len(labels)).astype(str)
    data = ImageSet(np.zeros((len(labels), 2), np.float32), labels, labels, ids, {"label": labels}, "stream")
    config = StreamConfig(tasks=2, validation=0.5)
    plain = build_stream(config, data, 0)
    assert note_measured(plain) == ()
    for task in plain:
        np.testing.assert_array_equal(task.measured, task.validation)

    monkeypatch.setattr(module, "MOST_MEASURED", 20)
    sampled = build_stream(config, data, 0)
    for before, task in zip(plain, sampled, strict=True):
        np.testing.assert_array_equal(task.train, before.train)
        np.testing.assert_array_equal(task.validation, before.validation)
        assert set(task.measured) < set(task.validation)
        assert np.unique(labels[task.measured], return_counts=True)[1].tolist() == [10, 10]
    (said,) = note_measured(sampled)
    assert "20 validation images of a task at most" in said
    assert f"There are more: {len(plain[0].validation)} of task 1" in said
