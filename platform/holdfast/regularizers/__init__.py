"""What ties a new model to the old ones: one file a method, one interface for all."""

from typing import Annotated

from pydantic import Field

from holdfast.regularizers.correlation_distillation import CorrelationDistillationConfig
from holdfast.regularizers.feature_distillation import FeatureDistillationConfig
from holdfast.regularizers.prototype_alignment import PrototypeAlignmentConfig
from holdfast.regularizers.regularizer import (
    ChecksSetting,
    Classifier,
    FinishesTask,
    RefreshesEachEpoch,
    Regularizer,
    ReplacesEmbeddings,
    Setting,
    Step,
    TaskStart,
)

RegularizerConfig = Annotated[
    FeatureDistillationConfig | CorrelationDistillationConfig | PrototypeAlignmentConfig,
    Field(discriminator="kind"),
]

__all__ = [
    "ChecksSetting",
    "Classifier",
    "CorrelationDistillationConfig",
    "FeatureDistillationConfig",
    "FinishesTask",
    "PrototypeAlignmentConfig",
    "RefreshesEachEpoch",
    "Regularizer",
    "RegularizerConfig",
    "ReplacesEmbeddings",
    "Setting",
    "Step",
    "TaskStart",
]
