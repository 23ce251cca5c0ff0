"""How images are distorted where an experiment does not say: as suits the trunk."""

import pytest
from torch import nn

from holdfast.data import PHOTOGRAPHS, AugmentConfig, StreamConfig
from holdfast.learning import LearningConfig, SequencePlan
from holdfast.learning.config import OptimizerConfig
from holdfast.models import ModelConfig, Preprocessing, Trunk, TrunkConfig
from tests.fixtures.known_trunk import KIND


class Known(TrunkConfig):
    """Knows something already."""

    @property
    def pretrained(self) -> bool:
        return True

    def build(self, channels: int, size: int) -> Trunk:
        trunk = Trunk()
        trunk.layers, trunk.features = nn.Flatten(), channels * size * size
        return trunk


def plan(trunk: str | TrunkConfig, channels: int, **learning: object) -> SequencePlan:
    model = ModelConfig(trunk=trunk, preprocessing=Preprocessing(channels=channels))
    return SequencePlan.model_validate(
        {"stream": StreamConfig(tasks=2), "model": model, "learning": learning}
    )


@pytest.mark.parametrize(
    ("trunk", "channels", "found"),
    [
        ("conv4", 1, AugmentConfig()),
        ("resnet18", 3, AugmentConfig()),
        (Known(), 1, AugmentConfig()),
        (Known(), 3, PHOTOGRAPHS),
    ],
)
@pytest.mark.parametrize("said", [{}, {"augment": None}, {"augment": {}}, {"augment": {"crop": None}}])
def test_the_default_follows_the_trunk(
    trunk: str | TrunkConfig, channels: int, found: AugmentConfig, said: dict[str, object]
) -> None:
    assert plan(trunk, channels, **said).learning.augment == found


def test_what_is_said_stays_and_is_still_so_when_it_is_read_again() -> None:
    chosen = plan(Known(), 3, augment={"erase": 0, "rotate": 5})
    assert chosen.learning.augment == PHOTOGRAPHS.model_copy(update={"erase": 0.0, "rotate": 5.0})
    again = {**chosen.model_dump(mode="json"), "model": chosen.model}
    assert SequencePlan.model_validate(again).learning == chosen.learning


def test_what_knows_something_is_changed_with_care() -> None:
    careful, plain = (
        SequencePlan.model_validate(
            {
                "stream": {"tasks": 2},
                "model": {"trunk": {"kind": KIND, "weights": weights}},
                "learning": {"epochs": 3},
            }
        )
        for weights in ("known.safetensors", None)
    )
    assert (careful.learning.epochs, careful.learning.batch_size) == (3, 64)
    assert careful.learning.optimizer == OptimizerConfig(learning_rate=1e-3, trunk_learning_rate=3e-4)
    assert [(term.kind, term.weight) for term in careful.regularizers] == [
        ("feature-distillation", 5),
        ("interpolation", 1),
        ("prototype-replay", 1),
    ]
    assert (plain.learning, plain.regularizers) == (
        LearningConfig(epochs=3),
        SequencePlan(stream=StreamConfig(tasks=2)).regularizers,
    )
    assert SequencePlan.model_validate(careful.model_dump(mode="json")) == careful
    same = {"learning": {"optimizer": {"learning_rate": 1e-3}}, "regularizers": []}
    said = SequencePlan.model_validate({**careful.model_dump(mode="json"), **same})
    assert (said.learning.optimizer.trunk_learning_rate, said.regularizers) == (None, ())
