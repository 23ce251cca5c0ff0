"""What is learned in a sequence, and how."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import Field, ValidationInfo, field_validator

from holdfast.base import ConfigError, Settings, parse_settings, refuse_same_place, set_key
from holdfast.data import PHOTOGRAPHS, AugmentConfig, StreamConfig
from holdfast.learning.config import PROJECTING, TUNING, LearningConfig, OptimizerConfig
from holdfast.models import ModelConfig
from holdfast.regularizers import PROJECTED, RECIPE, TUNED, AnyRegularizerConfig, RegularizerConfig

MAY_CHANGE = ("regularizers.", "learning.optimizer.")
"""What the keys begin with that may have another value in each task."""


class _Changing(Settings):
    """What a task may have otherwise than the one before."""

    optimizer: OptimizerConfig
    regularizers: tuple[AnyRegularizerConfig, ...]


class SequencePlan(Settings):
    """What decides the weights of a sequence: with the same data, the same plan gives the same versions."""

    seed: int = 0
    stream: StreamConfig
    model: ModelConfig = ModelConfig()
    learning: LearningConfig = LearningConfig()
    regularizers: tuple[AnyRegularizerConfig, ...] = RECIPE
    """The default recipe (over a frozen trunk that of projections, over one that learns that of
    tuning) unless something else is listed; `[]` is fine-tuning."""
    by_task: dict[str, Annotated[tuple[float, ...], Field(min_length=1)]] = Field(
        default_factory=dict, exclude_if=lambda value: not value
    )
    """Dotted key of a regularizer or of `learning.optimizer` -> its value in each task, in place of the one
    that stands there."""

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

    @field_validator("by_task")
    @classmethod
    def _changes_what_may_change(
        cls, by_task: dict[str, tuple[float, ...]], info: ValidationInfo
    ) -> dict[str, tuple[float, ...]]:
        if len({len(values) for values in by_task.values()}) > 1:
            raise ValueError("give each key as many values, one for each task")
        for key, values in by_task.items():
            if not key.startswith(MAY_CHANGE):
                raise ValueError(
                    f"{key} is the same in all tasks; what begins with {' or '.join(MAY_CHANGE)} may change"
                )
            if key.endswith(".weight") and min(values) <= 0:
                raise ValueError(f"{key} has to be above 0; with 0 a term is left out of all tasks")
        if "learning" in info.data and "regularizers" in info.data:
            _check_changes(info.data["learning"].optimizer, info.data["regularizers"], by_task)
        return by_task

    @property
    def at_work(self) -> list[RegularizerConfig]:
        """The regularizers that are not switched off."""
        return [config for config in self.regularizers if config.weight > 0]

    def each_task(self, tasks: int) -> tuple[Self, ...]:
        """The plan of each task. Raises ConfigError where `by_task` is of another number of tasks."""
        for key, values in self.by_task.items():
            if len(values) != tasks:
                raise ConfigError(
                    f"by_task.{key} has {len(values)} values, and the stream has {tasks} tasks: give one for "
                    "each."
                )
        return tuple(self._in_task(task) for task in range(tasks))

    def _in_task(self, task: int) -> Self:
        if not self.by_task:
            return self
        found = _changed(self.learning.optimizer, self.regularizers, self.by_task, task)
        learning = self.learning.model_copy(update={"optimizer": found.optimizer})
        return self.model_copy(update={"learning": learning, "regularizers": found.regularizers})


Terms = tuple[RegularizerConfig, ...]
Changes = Mapping[str, Sequence[float]]


def _changed(optimizer: OptimizerConfig, terms: Terms, changes: Changes, task: int) -> _Changing:
    plain = _plain(optimizer, terms)
    for key, values in changes.items():
        set_key(plain, key, values[task])
    given = {"optimizer": plain["learning"]["optimizer"], "regularizers": plain["regularizers"]}
    return parse_settings(_Changing, given, f"by_task, task {task + 1}")


def _check_changes(optimizer: OptimizerConfig, terms: Terms, changes: Changes) -> None:
    try:
        refuse_same_place(_plain(optimizer, terms), changes, "by_task")
        for task in range(max(map(len, changes.values()), default=0)):
            _changed(optimizer, terms, changes, task)
    except ConfigError as error:
        raise ValueError(str(error)) from error


def _plain(optimizer: OptimizerConfig, terms: Terms) -> dict[str, Any]:
    """As an experiment file has them."""
    return {
        "learning": {"optimizer": optimizer.model_dump(mode="json")},
        "regularizers": [each.model_dump(mode="json") for each in terms],
    }
