"""What is remembered of earlier classes, and what is drawn from it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from holdfast.base import ConfigError
from holdfast.models import ModelConfig
from holdfast.regularizers import FeatureReplayConfig, Setting
from holdfast.regularizers.recipe.feature_replay import VARIANCE, _root
from holdfast.testing.tasks import tiny_step, tiny_vectors_task


def test_two_tasks_are_remembered_as_one_would_be() -> None:
    first, second = tiny_vectors_task(0), tiny_vectors_task(1)
    second = replace(second, class_names=(first.class_names[0], "x", "y"))
    apart = FeatureReplayConfig().build()
    apart.finish(first)
    apart.finish(second)
    rows = np.concatenate([first.load_images(), second.load_images()])
    numbers = torch.cat([first.labels, torch.tensor([0, 3, 4])[second.labels]])
    whole = replace(
        first,
        load_images=lambda: rows,
        labels=numbers,
        classes=5,
        class_names=(*first.class_names, "x", "y"),
    )
    together = FeatureReplayConfig().build()
    together.finish(whole)
    assert torch.equal(apart.keys, together.keys)
    torch.testing.assert_close(apart.counts, together.counts)
    torch.testing.assert_close(apart.means, together.means)
    torch.testing.assert_close(apart.scatter, together.scatter)


def test_draws_have_the_covariance_of_what_was_seen() -> None:
    torch.manual_seed(0)
    rows = torch.randn(500, 8) * torch.arange(1.0, 9)
    covariance = torch.cov(rows.T)
    root = _root(covariance)
    assert (root @ root.T).trace() >= VARIANCE * covariance.trace()
    torch.testing.assert_close(root @ root.T, covariance, atol=0.02 * float(covariance.max()), rtol=0)


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
