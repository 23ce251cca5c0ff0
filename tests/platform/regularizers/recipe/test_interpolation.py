import copy
import dataclasses

import pytest
import torch

from holdfast.base import ConfigError
from holdfast.models import ModelConfig
from holdfast.regularizers import InterpolationConfig, Setting


def test_every_weight_lies_at_its_share_of_the_way(start):
    learned = copy.deepcopy(start.encoder.state_dict())
    term = InterpolationConfig(share=0.75).build()
    term.begin(start)
    term.finish(start)
    for name, value in start.encoder.state_dict().items():
        before = start.parent.state_dict()[name]
        if value.is_floating_point():
            torch.testing.assert_close(value, 0.25 * before + 0.75 * learned[name])
        else:
            assert torch.equal(value, learned[name])
    moved = [not torch.equal(learned[name], value) for name, value in start.encoder.state_dict().items()]
    assert any(moved)


def test_it_goes_back_farther_the_more_was_learned_before():
    term = InterpolationConfig(share=0.97, growth=1).build()
    assert [round(term.back(known), 4) for known in (1, 4, 9)] == [0.03, 0.12, 0.27]
    assert term.back(100) == 0.5
    assert InterpolationConfig(share=0.8).build().back(100) == pytest.approx(0.2)
    assert InterpolationConfig(share=0.3, growth=1).build().back(2) == pytest.approx(0.7)


def test_what_was_learned_before_counts(start):
    learned = copy.deepcopy(start.encoder.state_dict())
    task = dataclasses.replace(start, known=3.0)
    InterpolationConfig(share=0.9, growth=1).build().finish(task)
    for name, value in task.encoder.state_dict().items():
        if value.is_floating_point():
            before = start.parent.state_dict()[name]
            torch.testing.assert_close(value, 0.3 * before + 0.7 * learned[name])


def test_a_share_of_one_changes_nothing(start):
    learned = copy.deepcopy(start.encoder.state_dict())
    InterpolationConfig(share=1).build().finish(start)
    for name, value in start.encoder.state_dict().items():
        torch.testing.assert_close(value, learned[name])


def test_without_a_parent_of_the_same_shape_the_version_stays_as_it_was_learned(start, encoder):
    for parent in (None, encoder(3, 5)):
        task = dataclasses.replace(start, parent=parent)
        learned = copy.deepcopy(task.encoder.state_dict())
        InterpolationConfig(share=0.5).build().finish(task)
        assert all(torch.equal(learned[name], value) for name, value in task.encoder.state_dict().items())


def test_it_adds_no_loss(start, step):
    term = InterpolationConfig().build()
    term.begin(start)
    assert term(step(torch.eye(6, requires_grad=True), None)) is None


def test_models_that_begin_anew_are_refused():
    config = InterpolationConfig()
    setting = Setting("class-incremental", (("a", "b"), ("c", "d")), ModelConfig(), None)
    config.check(setting)
    with pytest.raises(ConfigError, match="initialization"):
        config.check(dataclasses.replace(setting, initialization="independent"))
