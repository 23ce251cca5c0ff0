"""What is learned in a sequence, and how."""

from typing import Any

from pydantic import ValidationInfo, field_validator

from holdfast.base import Settings
from holdfast.data import PHOTOGRAPHS, AugmentConfig, StreamConfig
from holdfast.learning.config import PROJECTING, TUNING, LearningConfig
from holdfast.models import ModelConfig
from holdfast.regularizers import PROJECTED, RECIPE, TUNED, AnyRegularizerConfig


class SequencePlan(Settings):
    """What decides the weights of a sequence: with the same data, the same plan gives the same versions."""

    seed: int = 0
    stream: StreamConfig
    model: ModelConfig = ModelConfig()
    learning: LearningConfig = LearningConfig()
    regularizers: tuple[AnyRegularizerConfig, ...] = RECIPE
    """The default recipe (over a frozen trunk that of projections, over one that learns that of
    tuning) unless something else is listed; `[]` is fine-tuning."""

    @field_validator("learning")
    @classmethod
    def _learns_as_the_trunk_wants(cls, learning: LearningConfig, info: ValidationInfo) -> LearningConfig:
        if "model" not in info.data:
            return learning
        model: ModelConfig = info.data["model"]
        if model.projects:
            learning = learning.over(PROJECTING)
        elif model.pretrained:
            learning = learning.over(TUNING)
        default = PHOTOGRAPHS if model.photographic else AugmentConfig()
        return learning.model_copy(update={"augment": learning.augment.over(default)})

    @field_validator("regularizers", mode="before")
    @classmethod
    def _ties_as_the_trunk_wants(cls, given: Any, info: ValidationInfo) -> Any:
        model = info.data.get("model")
        if model is None or not (isinstance(given, tuple) and given == RECIPE):
            return given
        return PROJECTED if model.projects else TUNED if model.pretrained else given
