"""A version that is the average of the steps that led to it."""

import copy

import pytest
import torch

from holdfast.learning import FolderCheckpoints, LearningConfig, run_sequence
from holdfast.learning.optimizing import Average


class KilledError(Exception):
    """Stands for a process that died."""


def learning(average):
    return LearningConfig(epochs=3, batch_size=16, checkpoint_steps=2, precision="float32", average=average)


def test_the_average_is_the_formula():
    module = torch.nn.BatchNorm1d(3)
    average = Average(module, decay=0.5)
    expected = copy.deepcopy(module.state_dict())
    for step in range(8):
        module(torch.randn(5, 3))
        with torch.no_grad():
            module.weight.add_(torch.randn(3))
        average.update(module, step)
        decay = min(0.5, (1 + step) / (10 + step))
        for name, value in module.state_dict().items():
            kept = decay * expected[name] + (1 - decay) * value if value.is_floating_point() else value
            expected[name] = kept.clone()
    for name, value in expected.items():
        torch.testing.assert_close(average.weights[name], value)
    assert average.weights["num_batches_tracked"] == 8


def test_what_is_published_and_passed_on_is_the_average(plan, data, publisher, tmp_path):
    plain, averaged = publisher(), publisher()
    run_sequence(plan(learning=learning(None)), data, plain, FolderCheckpoints(tmp_path / "plain"))
    run_sequence(plan(learning=learning(0.9)), data, averaged, FolderCheckpoints(tmp_path / "averaged"))
    first = [each.learned[0].encoder for each in (plain, averaged)]
    assert not torch.equal(*(encoder.linear.weight for encoder in first))
    # The steps themselves are the same, so the losses of the first task are.
    assert plain.learned[0].history == averaged.learned[0].history
    assert plain.learned[1].history != averaged.learned[1].history


@pytest.mark.parametrize("after", [1, 4, 8])
def test_interrupted_anywhere_gives_the_same_average(plan, data, publisher, tmp_path, after):
    class Dying(FolderCheckpoints):
        saved = 0

        def save(self, state):
            super().save(state)
            Dying.saved += 1
            if Dying.saved == after:
                raise KilledError

    whole, broken = publisher(), publisher()
    averaging = plan(learning=learning(0.9))
    run_sequence(averaging, data, whole, FolderCheckpoints(tmp_path / "whole"))
    with pytest.raises(KilledError):
        run_sequence(averaging, data, broken, Dying(tmp_path / "broken"))
    run_sequence(averaging, data, broken, FolderCheckpoints(tmp_path / "broken"))
    ids = [[one.encoder.contract().id for one in each.learned.values()] for each in (whole, broken)]
    assert ids[0] == ids[1]
