"""A step reads nothing back from the device: what it waits for there, it would wait for in every step."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from holdfast.base import DivergedError
from holdfast.learning import FolderCheckpoints, Learner, LearningConfig, run_sequence
from holdfast.models import ArcFaceConfig, CosFaceConfig, ModelConfig, Preprocessing
from holdfast.regularizers import RECIPE

WAITING = {"_local_scalar_dense", "nonzero", "equal", "is_nonzero", "masked_select"}


class Reads(TorchDispatchMode):
    """Counts the operations whose result has to come from the device before the program can go on."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += function.overloadpacket.__name__ in WAITING
        return function(*args, **(kwargs or {}))


@pytest.fixture
def reads(monkeypatch):
    """Of all steps."""
    counted, step, tolist = Reads(), Learner._train_step, torch.Tensor.tolist

    def counting_step(learner, *arguments):
        with counted:
            return step(learner, *arguments)

    def counting_tolist(tensor):
        counted.lists += 1
        return tolist(tensor)

    counted.lists = 0
    monkeypatch.setattr(Learner, "_train_step", counting_step)
    monkeypatch.setattr(torch.Tensor, "tolist", counting_tolist)
    return counted


@pytest.mark.parametrize("head", [CosFaceConfig(), ArcFaceConfig()])
def test_no_step_of_the_recipe_waits_for_a_value(plan, data, publisher, tmp_path, reads, head):
    model = ModelConfig(dimension=16, width=0.125, preprocessing=Preprocessing(size=8), head=head)
    quick = LearningConfig(epochs=3, batch_size=4, precision="float32", checkpoint_steps=1000)
    published = publisher()
    run_sequence(
        plan(model=model, learning=quick, regularizers=RECIPE), data, published, FolderCheckpoints(tmp_path)
    )
    assert reads.count == 0
    terms = {"classification", "feature-distillation", "correlation-distillation", "prototype-alignment"}
    assert set(published.learned[2].history[2]) == terms


def test_steps_are_read_together(plan, data, publisher, tmp_path, reads, monkeypatch):
    """Once an epoch and before a checkpoint, beside the few times a second that somebody is told."""
    monkeypatch.setattr("holdfast.learning.learner.Throttle", lambda: lambda: False)
    quick = LearningConfig(epochs=3, batch_size=4, precision="float32", checkpoint_steps=1000)
    run_sequence(plan(learning=quick), data, publisher(), FolderCheckpoints(tmp_path))
    # Three tasks of three epochs; and the weights, looked at for every version.
    assert reads.lists <= 3 * (3 + 3)


def test_the_first_value_that_was_not_finite_is_named_however_late_it_is_read(
    plan, data, publisher, tmp_path, monkeypatch
):
    monkeypatch.setattr("holdfast.learning.learner.Throttle", lambda: lambda: False)
    wild = LearningConfig(epochs=3, batch_size=8, precision="float32", optimizer={"learning_rate": 1e30})
    with pytest.raises(DivergedError, match=r"term 'classification' became (nan|inf) .*epoch 1, step [23]\."):
        run_sequence(plan(learning=wild), data, publisher(), FolderCheckpoints(tmp_path))
