import dataclasses

import pytest
import torch
from torch.nn import functional

from holdfast.base import ConfigError
from holdfast.models import ModelConfig, Preprocessing
from holdfast.regularizers import Setting
from holdfast.regularizers.literature import RehearsalConfig


@pytest.fixture
def next_task(start):
    return dataclasses.replace(start, class_names=("c", "d", "e"), index=2)


@pytest.fixture
def live(step, start):
    """A step that runs the two encoders of `start`; the batch itself must not be asked for."""

    def make():
        def parent(pixels):
            with torch.no_grad():
                return start.parent(pixels)

        return dataclasses.replace(
            step(torch.zeros(2, 6), None), encode=start.encoder, encode_with_parent=parent
        )

    return make


def test_silent_until_something_is_kept(start, live):
    term = RehearsalConfig(memory_bytes=10_000).build()
    term.begin(start)
    assert term(live()).item() == 0


def test_is_the_scaled_distance_on_rehearsed_images_only(start, next_task, live):
    """Three classes of five seen: sqrt(3 / 5)."""
    term = RehearsalConfig(memory_bytes=6 * 64, rehearsed=7).build()
    term.finish(start)
    term.begin(next_task)
    torch.manual_seed(5)
    loss = term(live())
    torch.manual_seed(5)
    pixels, _ = term.memory.draw(7)
    new, old = start.encoder(pixels), start.parent(pixels)
    expected = (3 / 5) ** 0.5 * (1 - (functional.normalize(new) * functional.normalize(old)).sum(1)).mean()
    assert loss.item() == pytest.approx(expected.item(), abs=1e-6)
    assert loss.item() > 1e-3


def test_weighs_less_the_more_classes_were_seen(start):
    term = RehearsalConfig(memory_bytes=10_000).build()
    shares = []
    for names in ("abc", "def", "ghi"):
        task = dataclasses.replace(start, class_names=tuple(names))
        term.begin(task)
        shares.append(term.share.item())
        term.finish(task)
    assert shares == pytest.approx([1, 0.5**0.5, (1 / 3) ** 0.5])


def test_pulls_the_new_model_only(start, next_task, live):
    term = RehearsalConfig(memory_bytes=10_000).build()
    term.finish(start)
    term.begin(next_task)
    term(live()).backward()
    assert start.encoder.linear.weight.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in start.parent.parameters())
    assert not list(term.parameters())


def test_state_brings_memory_and_share_back(start, next_task, live):
    term = RehearsalConfig(memory_bytes=6 * 64).build()
    term.finish(start)
    term.begin(next_task)
    other = RehearsalConfig(memory_bytes=6 * 64).build()
    other.load_state_dict(term.state_dict())
    losses = []
    for either in (term, other):
        torch.manual_seed(1)
        losses.append(either(live()).item())
    assert losses[0] == losses[1] > 0


def test_without_a_memory_it_is_refused_with_the_alternatives():
    config = RehearsalConfig()
    model = ModelConfig(dimension=16, preprocessing=Preprocessing(size=8, channels=3))
    setting = Setting("class-incremental", (("a", "b"), ("c", "d")), model, None)
    with pytest.raises(ConfigError, match=r"memory_bytes 0.*192 bytes.*4 classes.*768.*feature-distillation"):
        config.check(setting)
    RehearsalConfig(memory_bytes=768).check(setting)
