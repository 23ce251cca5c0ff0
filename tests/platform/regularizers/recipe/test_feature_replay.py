"""A map learns from vectors drawn around the means of earlier classes."""

import pytest
import torch

from holdfast.base import ConfigError
from holdfast.models import ModelConfig
from holdfast.regularizers import FeatureReplayConfig, Setting
from holdfast.testing.tasks import tiny_step, tiny_vectors_task


def test_the_head_begins_at_the_means_and_earlier_classes_are_told_apart() -> None:
    term, task = FeatureReplayConfig().build(), tiny_vectors_task(1)
    term.finish(tiny_vectors_task(0))
    term.begin(task)
    made = torch.from_numpy(task.encoder.embed(task.load_images()))
    means = torch.stack([made[task.labels == number].mean(0) for number in range(3)])
    torch.testing.assert_close(task.head.unit_directions(), torch.nn.functional.normalize(means))
    assert term.directions.shape == (3, 6)
    loss = term(tiny_step(task))
    loss.backward()
    assert term.directions.grad.abs().sum() > 0
    assert task.head.directions.grad.abs().sum() > 0


def test_it_says_nothing_where_nothing_was_learned_before() -> None:
    term, task = FeatureReplayConfig().build(), tiny_vectors_task(1)
    term.begin(task)
    assert term(tiny_step(task)) is None


def test_a_trunk_that_learns_is_refused() -> None:
    setting = Setting("class-incremental", (("a", "b"),), ModelConfig(), None)
    with pytest.raises(ConfigError, match=r"feature-replay.*frozen base"):
        FeatureReplayConfig().check(setting)
