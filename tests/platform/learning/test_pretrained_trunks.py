"""A sequence over a network that begins with weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from holdfast.base import ConfigError
from holdfast.learning import Datasets, FolderCheckpoints, SequencePlan, run_sequence
from holdfast.learning.parts import Parts
from holdfast.models import Encoder, Preprocessing
from tests.fixtures.known_trunk import KIND, write_known
from tests.platform.learning.test_sequence import DyingCheckpoints, KilledError, weights

Make = Callable[..., SequencePlan]


@pytest.fixture
def over(plan: Make, tmp_path: Path) -> Make:
    file = write_known(tmp_path / "known.safetensors", channels=1)

    def make(trunk: dict[str, Any], **learning: object) -> SequencePlan:
        values = {"epochs": 2, "batch_size": 16, "checkpoint_steps": 2, "precision": "float32", **learning}
        model = {"trunk": {"kind": KIND, "weights": file, **trunk}, "dimension": 16}
        return plan(model={**model, "preprocessing": Preprocessing(size=8)}, learning=values)

    return make


@pytest.mark.parametrize("after", [1, 4, 6])
def test_an_interrupted_run_of_additions_gives_the_same_weights(
    after: int, over: Make, data: Datasets, publisher: Callable[[], Any], tmp_path: Path
) -> None:
    pytest.importorskip("peft")
    rates = {"trunk_learning_rate": 0.01, "layer_decay": 0.5}
    chosen = over({"train": "lora", "lora": {"rank": 2}}, optimizer=rates, average=0.5)
    whole, broken = publisher(), publisher()
    run_sequence(chosen, data, whole, FolderCheckpoints(tmp_path / "whole"))
    with pytest.raises(KilledError):
        run_sequence(chosen, data, broken, DyingCheckpoints(tmp_path / "broken", after))
    torch.manual_seed(12345)
    run_sequence(chosen, data, broken, FolderCheckpoints(tmp_path / "broken"))
    assert weights(broken.learned) == weights(whole.learned)
    assert broken.learned[2].history == whole.learned[2].history
    assert not any("lora" in name for name in whole.learned[2].encoder.state_dict())


def test_a_batch_in_parts_is_the_same_step(
    over: Make, data: Datasets, publisher: Callable[[], Any], tmp_path: Path
) -> None:
    learned = []
    for parts in (1, 3):
        published = publisher()
        chosen = over({}, accumulate=parts)
        run_sequence(chosen, data, published, FolderCheckpoints(tmp_path / str(parts)))
        learned.append(published.learned[0])
    # Rounding is all that differs, until it has been multiplied by many steps.
    for one, other in zip(learned[0].history, learned[1].history, strict=True):
        assert other == pytest.approx(one, abs=1e-4)


def test_the_gradients_of_parts_are_those_of_the_batch(over: Make) -> None:
    plain, parted = (Encoder(over({}).model) for _ in range(2))
    parted.load_state_dict(plain.state_dict())
    for encoder in (plain, parted):
        encoder.begin(over({}).model)
        encoder.train()
    pixels, slopes = torch.rand(7, 1, 8, 8), torch.randn(7, 16)
    (plain(pixels) * slopes).sum().backward()
    parts = Parts(parted, 3, lambda network, given: network(given))
    (parts.encode(pixels) * slopes).sum().backward()
    parts.backward()
    for one, other in zip(plain.parameters(), parted.parameters(), strict=True):
        torch.testing.assert_close(other.grad, one.grad, atol=1e-6, rtol=1e-4)


def test_parts_of_a_batch_have_no_statistics_of_it(
    plan: Make, over: Make, data: Datasets, publisher: Callable[[], Any], tmp_path: Path
) -> None:
    own = plan(learning={"accumulate": 2, "batch_size": 16})
    for chosen in (own, over({"statistics": "learned"}, accumulate=2)):
        with pytest.raises(ConfigError, match=r"learning.accumulate: the trunk normalizes by the statistics"):
            run_sequence(chosen, data, publisher(), FolderCheckpoints(tmp_path))


def test_a_frozen_trunk_stays_as_it_is_and_its_rate_counts_for_nothing(
    over: Make, data: Datasets, publisher: Callable[[], Any], tmp_path: Path
) -> None:
    published = publisher()
    run_sequence(over({"train": "last-1"}), data, published, FolderCheckpoints(tmp_path / "a"))
    before, after = (published.learned[task].encoder.trunk for task in (0, 2))
    assert torch.equal(before.blocks[0].query.weight, after.blocks[0].query.weight)
    assert not torch.equal(before.last.weight, after.last.weight)
