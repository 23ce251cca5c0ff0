"""What ties a new model to the old ones: one file a method, one interface for all."""

from typing import Annotated

from holdfast.base import Kinds
from holdfast.regularizers.adversarial import AdversarialConfig
from holdfast.regularizers.boundary import BoundaryConfig
from holdfast.regularizers.contrastive import ContrastiveConfig
from holdfast.regularizers.correlation_distillation import CorrelationDistillationConfig
from holdfast.regularizers.elastic_boundary import ElasticBoundaryConfig
from holdfast.regularizers.feature_distillation import FeatureDistillationConfig
from holdfast.regularizers.feature_estimation import FeatureEstimationConfig
from holdfast.regularizers.growth import GrowingConfig
from holdfast.regularizers.higher_order_contrast import HigherOrderContrastConfig
from holdfast.regularizers.influence_loss import InfluenceConfig
from holdfast.regularizers.interpolation import InterpolationConfig
from holdfast.regularizers.mixing import MixingConfig
from holdfast.regularizers.orthogonal_expansion import OrthogonalExpansionConfig
from holdfast.regularizers.pairwise_distances import PairwiseDistancesConfig
from holdfast.regularizers.perturbed_prototypes import PerturbedPrototypesConfig
from holdfast.regularizers.prototype_alignment import PrototypeAlignmentConfig
from holdfast.regularizers.prototype_centres import PrototypeCentresConfig
from holdfast.regularizers.recipe import RECIPE
from holdfast.regularizers.regularizer import (
    Classifier,
    Regularizer,
    RegularizerConfig,
    Setting,
    Step,
    TaskStart,
)
from holdfast.regularizers.rehearsal import RehearsalConfig
from holdfast.regularizers.structural_regularization import StructuralRegularizationConfig

AnyRegularizerConfig = Annotated[
    RegularizerConfig,
    Kinds(
        AdversarialConfig,
        BoundaryConfig,
        ContrastiveConfig,
        CorrelationDistillationConfig,
        ElasticBoundaryConfig,
        FeatureDistillationConfig,
        FeatureEstimationConfig,
        HigherOrderContrastConfig,
        InfluenceConfig,
        InterpolationConfig,
        MixingConfig,
        OrthogonalExpansionConfig,
        PairwiseDistancesConfig,
        PerturbedPrototypesConfig,
        PrototypeAlignmentConfig,
        PrototypeCentresConfig,
        RehearsalConfig,
        StructuralRegularizationConfig,
    ),
]
"""What an experiment may list: a built-in regularizer, or one of another package."""

__all__ = [
    "RECIPE",
    "AdversarialConfig",
    "AnyRegularizerConfig",
    "BoundaryConfig",
    "Classifier",
    "ContrastiveConfig",
    "CorrelationDistillationConfig",
    "ElasticBoundaryConfig",
    "FeatureDistillationConfig",
    "FeatureEstimationConfig",
    "GrowingConfig",
    "HigherOrderContrastConfig",
    "InfluenceConfig",
    "InterpolationConfig",
    "MixingConfig",
    "OrthogonalExpansionConfig",
    "PairwiseDistancesConfig",
    "PerturbedPrototypesConfig",
    "PrototypeAlignmentConfig",
    "PrototypeCentresConfig",
    "Regularizer",
    "RegularizerConfig",
    "RehearsalConfig",
    "Setting",
    "Step",
    "StructuralRegularizationConfig",
    "TaskStart",
]
