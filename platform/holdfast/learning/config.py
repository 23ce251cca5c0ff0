"""How one task is learned, as an experiment says it."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from holdfast.base import Settings
from holdfast.data import AugmentConfig
from holdfast.learning.perturbation import PerturbationConfig


class OptimizerConfig(Settings):
    """AdamW under a one-cycle schedule; `learning_rate` is the cycle's peak."""

    learning_rate: float = Field(default=3e-3, gt=0)
    trunk_learning_rate: float | None = Field(default=None, gt=0, exclude_if=lambda value: value is None)
    """The peak for the trunk, or for its last block; none: the same."""
    layer_decay: float = Field(default=1.0, gt=0, le=1, exclude_if=lambda value: value == 1.0)
    """A block of the trunk learns at so many times the rate of the block behind it."""
    weight_decay: float = Field(default=1e-4, ge=0)


def _as_the_trunk_wants(given: Any) -> Any:
    return {} if given is None else given


class LearningConfig(Settings):
    """How one task is learned. `batch_size` is the global batch, whatever the number of workers.

    Over a trunk with weights the defaults are 6 epochs of batches of 64, `learning_rate` 0.001 and
    `trunk_learning_rate` 0.0003; of a projection 12 epochs of at most 500 batches of 64 or more, and
    `learning_rate` 0.0025.
    """

    epochs: int = Field(default=12, ge=1)
    batch_size: int = Field(default=256, ge=2)
    epoch_steps: int | None = Field(default=None, ge=1, exclude_if=lambda value: value is None)
    """Of an epoch, at most: in a task that has more than so many batches, they are larger."""
    accumulate: int = Field(default=1, ge=1, exclude_if=lambda value: value == 1)
    """In how many parts a batch goes through the trunk. The step stays the same, and costs a forward pass
    more; the activations take the memory of one part."""
    precision: Literal["auto", "float32", "bf16"] = "auto"
    """`auto`: bf16 autocast where the processor multiplies it natively, float32 elsewhere."""
    initialization: Literal["parent", "independent"] = "parent"
    optimizer: OptimizerConfig = OptimizerConfig()
    augment: Annotated[AugmentConfig, BeforeValidator(_as_the_trunk_wants)] = AugmentConfig()
    turns: Literal[1, 2, 4] = 1
    """Orientations in which images are learned, each as a class of its own; an epoch shows an image once."""
    average: float | None = Field(default=None, gt=0, lt=1)
    """Decay of a moving average of the weights over the steps of a task, which is what becomes the version;
    none: the weights after the last step do."""
    adversarial: PerturbationConfig | None = Field(default=None, exclude_if=lambda value: value is None)
    """Learn from perturbed copies of the images as well, attacked or merely noisy; none: from clean ones."""
    checkpoint_steps: int = Field(default=100, ge=1)
    """Steps between two checkpoints inside a task; its last step and its end always make one."""

    def batch_for(self, images: int) -> int:
        """The global batch in a task of so many images."""
        least = 0 if self.epoch_steps is None else -(-images // self.epoch_steps)
        return max(self.batch_size, least)

    def over(self, default: "LearningConfig") -> "LearningConfig":
        """With what `default` says in place of all that was not said here."""
        said = {name: getattr(self, name) for name in self.model_fields_set}
        if "optimizer" in said:
            # Who says the rate of learning says that of the trunk as well.
            rates = {name: getattr(self.optimizer, name) for name in self.optimizer.model_fields_set}
            if "learning_rate" in rates:
                rates = {"trunk_learning_rate": self.optimizer.trunk_learning_rate, **rates}
            said["optimizer"] = default.optimizer.model_copy(update=rates)
        if "batch_size" in said:
            said.setdefault("epoch_steps", None)
        return default.model_copy(update=said)


TUNING = LearningConfig(
    epochs=6,
    batch_size=64,
    optimizer=OptimizerConfig(learning_rate=1e-3, trunk_learning_rate=3e-4),
)
"""What is learned over a trunk with weights, where an experiment does not say it: a tenth of the rate at
which one is learned from nothing, and steps enough for a task of a few hundred images."""

PROJECTING = LearningConfig(
    epochs=12, batch_size=64, epoch_steps=500, optimizer=OptimizerConfig(learning_rate=2.5e-3)
)
"""What is learned over vectors: small batches, as a task of a few hundred needs steps, and larger ones where
there are vectors enough."""
