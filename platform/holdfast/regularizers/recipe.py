"""The default recipe: what ties a version to its parent where an experiment does not say it."""

from holdfast.regularizers.correlation_distillation import CorrelationDistillationConfig
from holdfast.regularizers.feature_distillation import FeatureDistillationConfig
from holdfast.regularizers.interpolation import InterpolationConfig
from holdfast.regularizers.prototype_alignment import PrototypeAlignmentConfig

RECIPE = (
    FeatureDistillationConfig(weight=25, growth=0.5),
    CorrelationDistillationConfig(weight=400, growth=0.5, temperature=0.25),
    PrototypeAlignmentConfig(weight=4),
    InterpolationConfig(share=0.8),
)
"""Each image stays near the place that the parent gave it (the frame), the batch keeps its correlations (the
shape), and each new class is drawn to the mean of its images in the parent's space. What is kept weighs more
the more versions there were. At the end the version goes back a fifth of the way to its parent. The numbers
were chosen on validation classes of Omniglot (docs/results.md)."""
