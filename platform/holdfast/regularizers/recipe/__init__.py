"""What ships as the default, and its near relatives."""

from holdfast.regularizers.recipe.correlation_distillation import CorrelationDistillationConfig
from holdfast.regularizers.recipe.default import PROJECTED, RECIPE, TAUGHT, TUNED
from holdfast.regularizers.recipe.feature_distillation import FeatureDistillationConfig
from holdfast.regularizers.recipe.feature_replay import FeatureReplayConfig
from holdfast.regularizers.recipe.growth import GrowingConfig
from holdfast.regularizers.recipe.interpolation import InterpolationConfig
from holdfast.regularizers.recipe.pairwise_distances import PairwiseDistancesConfig
from holdfast.regularizers.recipe.prototype_alignment import PrototypeAlignmentConfig, class_means
from holdfast.regularizers.recipe.prototype_replay import PrototypeReplayConfig
from holdfast.regularizers.recipe.whitening import WhiteningConfig

__all__ = [
    "PROJECTED",
    "RECIPE",
    "TAUGHT",
    "TUNED",
    "CorrelationDistillationConfig",
    "FeatureDistillationConfig",
    "FeatureReplayConfig",
    "GrowingConfig",
    "InterpolationConfig",
    "PairwiseDistancesConfig",
    "PrototypeAlignmentConfig",
    "PrototypeReplayConfig",
    "WhiteningConfig",
    "class_means",
]
