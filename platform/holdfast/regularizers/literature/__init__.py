"""Methods of the literature, to compare with. `README.md`, one folder up, says what is where."""

from holdfast.regularizers.literature.adversarial import AdversarialConfig
from holdfast.regularizers.literature.boundary import BoundaryConfig
from holdfast.regularizers.literature.contrastive import ContrastiveConfig
from holdfast.regularizers.literature.elastic_boundary import ElasticBoundaryConfig
from holdfast.regularizers.literature.feature_estimation import FeatureEstimationConfig
from holdfast.regularizers.literature.higher_order_contrast import HigherOrderContrastConfig
from holdfast.regularizers.literature.influence_loss import InfluenceConfig
from holdfast.regularizers.literature.mixing import MixingConfig
from holdfast.regularizers.literature.orthogonal_expansion import OrthogonalExpansionConfig
from holdfast.regularizers.literature.perturbed_prototypes import PerturbedPrototypesConfig
from holdfast.regularizers.literature.prototype_centres import PrototypeCentresConfig
from holdfast.regularizers.literature.rehearsal import RehearsalConfig
from holdfast.regularizers.literature.structural_regularization import StructuralRegularizationConfig

__all__ = [
    "AdversarialConfig",
    "BoundaryConfig",
    "ContrastiveConfig",
    "ElasticBoundaryConfig",
    "FeatureEstimationConfig",
    "HigherOrderContrastConfig",
    "InfluenceConfig",
    "MixingConfig",
    "OrthogonalExpansionConfig",
    "PerturbedPrototypesConfig",
    "PrototypeCentresConfig",
    "RehearsalConfig",
    "StructuralRegularizationConfig",
]
