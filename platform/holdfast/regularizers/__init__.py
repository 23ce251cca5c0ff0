"""What ties a new model to the old ones: one file a method, one interface for all.

`recipe` has what ships as the default and its near relatives, `literature` what it is compared with.
"""

from holdfast.regularizers.kinds import AnyRegularizerConfig
from holdfast.regularizers.recipe import (
    RECIPE,
    CorrelationDistillationConfig,
    FeatureDistillationConfig,
    GrowingConfig,
    InterpolationConfig,
    PairwiseDistancesConfig,
    PrototypeAlignmentConfig,
)
from holdfast.regularizers.regularizer import (
    Classifier,
    Regularizer,
    RegularizerConfig,
    Setting,
    Step,
    TaskStart,
)

__all__ = [
    "RECIPE",
    "AnyRegularizerConfig",
    "Classifier",
    "CorrelationDistillationConfig",
    "FeatureDistillationConfig",
    "GrowingConfig",
    "InterpolationConfig",
    "PairwiseDistancesConfig",
    "PrototypeAlignmentConfig",
    "Regularizer",
    "RegularizerConfig",
    "Setting",
    "Step",
    "TaskStart",
]
