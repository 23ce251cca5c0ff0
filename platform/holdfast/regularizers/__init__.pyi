from .kinds import AnyRegularizerConfig
from .recipe import (
    RECIPE,
    CorrelationDistillationConfig,
    FeatureDistillationConfig,
    GrowingConfig,
    InterpolationConfig,
    PairwiseDistancesConfig,
    PrototypeAlignmentConfig,
    class_means,
)
from .regularizer import Classifier, Regularizer, RegularizerConfig, Setting, Step, TaskStart

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
    "class_means",
]
