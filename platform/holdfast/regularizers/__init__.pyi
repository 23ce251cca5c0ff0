from .kinds import AnyRegularizerConfig
from .recipe import (
    PROJECTED,
    RECIPE,
    TAUGHT,
    CorrelationDistillationConfig,
    FeatureDistillationConfig,
    FeatureReplayConfig,
    GrowingConfig,
    InterpolationConfig,
    PairwiseDistancesConfig,
    PrototypeAlignmentConfig,
    class_means,
)
from .regularizer import Classifier, Regularizer, RegularizerConfig, Setting, Step, TaskStart

__all__ = [
    "PROJECTED",
    "RECIPE",
    "TAUGHT",
    "AnyRegularizerConfig",
    "Classifier",
    "CorrelationDistillationConfig",
    "FeatureDistillationConfig",
    "FeatureReplayConfig",
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
