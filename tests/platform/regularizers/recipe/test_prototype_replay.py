"""What is learned keeps away from where earlier classes lie."""

from dataclasses import replace

import torch
from torch.nn import functional

from holdfast.regularizers import PrototypeReplayConfig
from holdfast.testing.tasks import tiny_step, tiny_task

NAMES = ("x", "y", "z")


def test_it_says_nothing_where_nothing_was_learned_before() -> None:
    term, task = PrototypeReplayConfig().build(), tiny_task(1)
    term.begin(task)
    assert term(tiny_step(task)) is None


def test_images_are_driven_from_where_an_earlier_class_lies() -> None:
    first, task = tiny_task(0), tiny_task(1)
    task = replace(task, class_names=NAMES)
    term = PrototypeReplayConfig().build()
    term.finish(first)
    term.begin(task)
    assert term.directions.shape == (3, 6)
    made = torch.from_numpy(task.encoder.embed(task.load_images()))
    means = torch.stack([made[task.labels == number].mean(0) for number in range(3)])
    torch.testing.assert_close(task.head.unit_directions(), functional.normalize(means))

    there = term.directions[:1].expand(12, 6).clone().requires_grad_()
    torch.manual_seed(0)
    term(replace(tiny_step(task), embeddings=there)).backward()
    assert there.grad is not None
    assert (there.grad @ term.directions[0] > 0).all()
    assert not term.directions.requires_grad


def test_classes_that_come_back_are_not_earlier_ones() -> None:
    first, task = tiny_task(0), tiny_task(1)
    term = PrototypeReplayConfig().build()
    term.finish(first)
    term.begin(task)
    assert len(term.directions) == 0
    assert term(tiny_step(task)).isfinite()
