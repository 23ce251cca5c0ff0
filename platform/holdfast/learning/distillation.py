"""A small encoder that imitates a published one, on whatever it is given to see of the same images.

After Yang et al. 2023 ("Robust metric transfer using joint adversarial training"), of which only the abstract
is public: the losses are a reconstruction, methods section 5b.
"""

from pydantic import Field

from holdfast.base import ConfigError, Settings
from holdfast.learning.plan import SequencePlan
from holdfast.regularizers import (
    PROJECTED,
    RECIPE,
    TUNED,
    FeatureDistillationConfig,
    PairwiseDistancesConfig,
)


class DistillationConfig(Settings):
    """What `holdfast distill` teaches the experiment's model instead of a stream of tasks.

    The training images are those of the stream's one task; `stream.share` takes fewer of them. Both encoders
    see the same images under the same distortions, each as its own preprocessing has it. Of a projection, or
    of a version that was adopted, the vectors of the images as they are are imitated.
    """

    source: str = "latest"
    """The version, or alias, that is imitated; latest: the newest that was not distilled itself."""
    imitation: float = Field(default=1.0, gt=0)
    """Weight of 1 - cosine between the two embeddings of an image: half their squared distance."""
    pairwise: float = Field(default=0.0, ge=0)
    """Weight of the difference between the two encoders' distances of a pair of images."""
    metric: float = Field(default=0.0, ge=0)
    """Weight of the classification loss of `model.head`; 0 needs no labels."""


def distillation_plan(plan: SequencePlan, config: DistillationConfig) -> SequencePlan:
    """The sequence of one task that a distillation is: its terms, and no weights of the source's."""
    terms = (
        FeatureDistillationConfig(weight=config.imitation),
        PairwiseDistancesConfig(weight=config.pairwise),
    )
    learning = plan.learning.model_copy(update={"initialization": "independent"})
    values = {name: getattr(plan, name) for name in SequencePlan.model_fields}
    return SequencePlan(**{**values, "learning": learning, "regularizers": terms})


def check_distillation(plan: SequencePlan, source: str, dimension: int) -> None:
    """Raises ConfigError for a plan that cannot imitate the version `source`, of this dimension."""
    if plan.model.projects:
        raise ConfigError(
            "model.trunk has train: none, which makes a projection, and nothing small: name a trunk that "
            "learns."
        )
    if plan.model.dimension != dimension:
        raise ConfigError(
            f"model.dimension is {plan.model.dimension}, but {source} makes embeddings of {dimension} "
            f"dimensions, and what imitates them has as many: model.dimension must be {dimension}."
        )
    if plan.stream.tasks != 1:
        raise ConfigError(
            f"stream.tasks is {plan.stream.tasks}; a distillation is one task over all training images: "
            "stream.tasks must be 1."
        )
    if plan.learning.adversarial is not None:
        raise ConfigError(
            "learning.adversarial belongs to the training of the source; a distillation imitates it on the "
            "images as they are, so leave it out here."
        )
    if plan.by_task:
        raise ConfigError("by_task: a distillation is one task, so write each value where it belongs.")
    if plan.regularizers not in (RECIPE, PROJECTED, TUNED, ()):
        kinds = ", ".join(term.kind for term in plan.regularizers)
        raise ConfigError(
            f"regularizers: a distillation has the terms of 'distillation' alone (imitation, pairwise, "
            f"metric), so leave {kinds} out."
        )
