from .kinds import AnyRegularizerConfig
from .recipe import (
    PROJECTED,
    RECIPE,
    TAUGHT,
    TUNED,
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
    "TUNED",
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
