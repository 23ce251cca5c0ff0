"""Which regularizers an experiment may list."""

from typing import Annotated

from holdfast.base import Kinds
from holdfast.regularizers.literature import (
    AdversarialConfig,
    BoundaryConfig,
    ContrastiveConfig,
    ElasticBoundaryConfig,
    FeatureEstimationConfig,
    HigherOrderContrastConfig,
    InfluenceConfig,
    MixingConfig,
    OrthogonalExpansionConfig,
    PerturbedPrototypesConfig,
    PrototypeCentresConfig,
    RehearsalConfig,
    StructuralRegularizationConfig,
)
from holdfast.regularizers.recipe import (
    CorrelationDistillationConfig,
    FeatureDistillationConfig,
    FeatureReplayConfig,
    InterpolationConfig,
    PairwiseDistancesConfig,
    PrototypeAlignmentConfig,
    PrototypeReplayConfig,
    WhiteningConfig,
)
from holdfast.regularizers.regularizer import RegularizerConfig

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
        FeatureReplayConfig,
        HigherOrderContrastConfig,
        InfluenceConfig,
        InterpolationConfig,
        MixingConfig,
        OrthogonalExpansionConfig,
        PairwiseDistancesConfig,
        PerturbedPrototypesConfig,
        PrototypeAlignmentConfig,
        PrototypeCentresConfig,
        PrototypeReplayConfig,
        RehearsalConfig,
        StructuralRegularizationConfig,
        WhiteningConfig,
    ),
]
"""A built-in regularizer, or one of another package."""
