"""The default recipes: what ties a version to its parent where an experiment does not say it."""

from holdfast.regularizers.recipe.correlation_distillation import CorrelationDistillationConfig
from holdfast.regularizers.recipe.feature_distillation import FeatureDistillationConfig
from holdfast.regularizers.recipe.feature_replay import FeatureReplayConfig
from holdfast.regularizers.recipe.interpolation import InterpolationConfig
from holdfast.regularizers.recipe.prototype_alignment import PrototypeAlignmentConfig
from holdfast.regularizers.recipe.prototype_replay import PrototypeReplayConfig
from holdfast.regularizers.recipe.whitening import WhiteningConfig

RECIPE = (
    FeatureDistillationConfig(weight=10, growth=1),
    CorrelationDistillationConfig(weight=160, growth=1, temperature=0.25),
    PrototypeAlignmentConfig(weight=4),
    InterpolationConfig(share=0.95, growth=1),
)
"""Each image stays near the place that the parent gave it (the frame; where a sample of the gallery is known
those of the sample, which have to be found again), the batch keeps its correlations (the
shape), and each new class is drawn to the mean of its images in the parent's space. At the end the version
goes back a part of the way to its parent. What is kept weighs more, and that part is larger, the more was
learned before: a task that is large beside it is what there is to learn, and a late one of many changes less
than noise does. The numbers were chosen on validation classes of Omniglot (docs/results.md)."""

TAUGHT = (FeatureDistillationConfig(weight=10), PrototypeAlignmentConfig(weight=1))
"""The weights of the same terms in a task whose parent is known by its vectors alone. It learned nothing of
what is learned here, so that there is nothing to forget, and the shape of its space is not worth keeping: a
network of another kind would be held to it. The other terms are left out."""

PROJECTED = (
    FeatureDistillationConfig(weight=10),
    FeatureReplayConfig(weight=16, most=2),
    WhiteningConfig(),
)
"""Of a projection: its base ties the versions together already, and no entry can get out of reach. What it
has to keep is how well it tells earlier classes apart (replay), and what the base knows of those that it
never sees (distillation, in the first task from the base itself); whitening then evens out what
the classes seen so far have stretched. Chosen, with the rate of learning, on validation images of Grocery and
Caltech together."""

TUNED = (
    FeatureDistillationConfig(weight=5),
    InterpolationConfig(share=0.5),
    PrototypeReplayConfig(weight=1),
)
"""Over a trunk with weights that goes on learning, where the weights of `RECIPE` undo what a task teaches.
Half of the way back to the parent costs a version of photographs next to nothing, and its queries find a good
deal more among older entries; and what is learned keeps away from where earlier classes lie."""
