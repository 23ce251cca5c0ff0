"""The default recipe: what ties a version to its parent where an experiment does not say it."""

from holdfast.regularizers.correlation_distillation import CorrelationDistillationConfig
from holdfast.regularizers.feature_distillation import FeatureDistillationConfig
from holdfast.regularizers.prototype_alignment import PrototypeAlignmentConfig

RECIPE = (
    FeatureDistillationConfig(weight=40),
    CorrelationDistillationConfig(weight=640, temperature=0.25),
    PrototypeAlignmentConfig(weight=4),
)
"""Each image stays near the place that the parent gave it (the frame), the batch keeps its correlations (the
shape), and each new class is drawn to the mean of its images in the parent's space. The weights were chosen
on validation classes of Omniglot (docs/results.md)."""
