"""What is remembered of earlier classes, and what is drawn from it."""

from dataclasses import replace

import numpy as np
import torch

from holdfast.regularizers import TaskStart
from holdfast.regularizers.recipe.class_statistics import VARIANCE, ClassStatistics, draw_noise, sample_task
from holdfast.testing.tasks import tiny_vectors_task


def _add(statistics: ClassStatistics, task: TaskStart) -> None:
    rows, labels = sample_task(task)
    statistics.add(task, torch.from_numpy(rows), labels)


def test_two_tasks_are_remembered_as_one_would_be() -> None:
    first, second = tiny_vectors_task(0), tiny_vectors_task(1)
    second = replace(second, class_names=(first.class_names[0], "x", "y"))
    apart = ClassStatistics()
    _add(apart, first)
    _add(apart, second)
    rows = np.concatenate([first.load_images(), second.load_images()])
    numbers = torch.cat([first.labels, torch.tensor([0, 3, 4])[second.labels]])
    names = (*first.class_names, "x", "y")
    together = ClassStatistics()
    _add(together, replace(first, load_images=lambda: rows, labels=numbers, classes=5, class_names=names))
    assert torch.equal(apart.keys, together.keys)
    torch.testing.assert_close(apart.counts, together.counts)
    torch.testing.assert_close(apart.means, together.means)
    torch.testing.assert_close(apart.scatter, together.scatter)


def test_numbers_are_the_tasks_and_those_that_follow() -> None:
    first, second = tiny_vectors_task(0), tiny_vectors_task(1)
    statistics = ClassStatistics()
    _add(statistics, first)
    names = ("x", first.class_names[2], "y")
    assert statistics.numbers(replace(second, class_names=names)).tolist() == [3, 4, 1]
    assert torch.equal(statistics.earlier(replace(second, class_names=names)), statistics.means[:2])


def test_draws_have_the_covariance_of_what_was_seen() -> None:
    torch.manual_seed(0)
    rows = torch.randn(500, 8) * torch.arange(1.0, 9)
    task = replace(tiny_vectors_task(0), labels=torch.zeros(500, dtype=torch.int64), classes=1)
    statistics = ClassStatistics()
    statistics.add(replace(task, class_names=("a",)), rows, task.labels)
    covariance = torch.cov(rows.T)
    torch.testing.assert_close(statistics.covariance(), covariance, rtol=1e-3, atol=1e-2)
    root = statistics.root()
    assert (root @ root.T).trace() >= VARIANCE * covariance.trace()
    torch.testing.assert_close(root @ root.T, covariance, atol=0.02 * float(covariance.max()), rtol=0)
    chosen, drawn = draw_noise(statistics, root, 5)
    assert chosen.tolist() == [0] * 5
    torch.testing.assert_close(drawn.norm(dim=1), torch.ones(5))
