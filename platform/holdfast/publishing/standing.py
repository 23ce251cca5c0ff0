"""Whether a version may be published: it may not be surely worse than doing nothing."""

import warnings

import numpy as np

from holdfast.base import BelowBaselineError
from holdfast.data import Task
from holdfast.evaluation import Reference, Standing, Validation, choose_validation, validate_version
from holdfast.learning import Datasets, Learned, SequencePlan, validation_indices

VALIDATION = "validation"
"""Key of a version's metrics: where it stands beside its base and its parent."""


class Standings:
    """Measures the versions of a stream on its validation images, `evaluation.baselines.MOST_IMAGES` at most.

    They are those of all tasks: what a version forgets is seen, and what it makes of classes that it does not
    know, those of tasks to come and those that the stream holds out. Nothing old is embedded anew: a parent's
    embeddings are kept.
    """

    def __init__(self, data: Datasets, tasks: tuple[Task, ...], seed: int, resamples: int) -> None:
        labels = data.training.labels[validation_indices(tasks)]
        self._chosen = choose_validation(labels, seed)
        self._labels = labels[self._chosen]
        self._tasks, self._resamples = tasks, resamples

    def measure(self, learned: Learned, parent: np.ndarray | None) -> Validation | None:
        """Where a version stands; None without validation images.

        Args:
            parent: float32 (n, d), what its parent makes of the validation images.
        """
        made: dict[Reference, np.ndarray | None] = {"base": learned.base, "parent": parent}
        references = {name: vectors[self._chosen] for name, vectors in made.items() if vectors is not None}
        version = learned.embedded.validation[self._chosen]
        known = {name for task in self._tasks[: learned.task + 1] for name in task.classes}
        held_out = ~np.isin(self._labels, sorted(known))
        return validate_version(version, references, self._labels, held_out, self._resamples)


def refuse_worse(validation: Validation, learned: Learned, plan: SequencePlan) -> None:
    """Raises BelowBaselineError for a version that is surely worse than its base or its parent.

    A run without regularizers is a control, whose versions nothing holds to their parents: to be worse than
    they are is what it may show. It warns.
    """
    control = not any(term.weight > 0 for term in plan.regularizers)
    losses = [each for each in validation.losses if not control or each.reference == "base"]
    if not losses:
        if validation.losses:
            said = _said(validation, validation.losses[0], learned.parent)
            warnings.warn(f"Task {learned.task + 1} of a run without regularizers: {said}.", stacklevel=2)
        return
    worst = losses[0]
    raise BelowBaselineError(
        f"What was learned in task {learned.task + 1} ({learned.name}) is not published, because it is worse "
        f"than doing nothing: {_said(validation, worst, learned.parent)}. It is kept: the same command with "
        f"--publish-anyway publishes it, and learns nothing again. Otherwise try {_advice(worst, plan)}, and "
        "start over with --fresh."
    )


def _said(validation: Validation, worst: Standing, parent: str | None) -> str:
    where = f"{validation.queries:,} validation images"
    if worst.held_out:
        where = f"the validation images of {validation.held_out_classes} classes that it does not know"
    other = "the trunk as it was" if worst.reference == "base" else f"its parent {parent}"
    bounds = f"{-worst.high:.1f} to {-worst.low:.1f}"
    return (
        f"on {where} its Recall@1 is {worst.value:.1f} %, {-worst.difference:.1f} points (95 % interval "
        f"{bounds}) below the {worst.reference_value:.1f} % of {other}"
    )


def _advice(worst: Standing, plan: SequencePlan) -> str:
    rates, model = plan.learning.optimizer, plan.model
    ways = []
    if model.pretrained and model.base is None:
        ways += [
            f"a lower learning.optimizer.trunk_learning_rate (now "
            f"{rates.trunk_learning_rate or rates.learning_rate:g})",
            "'lora' or 'none' for model.trunk.train",
            f"larger images (model.preprocessing.size, now {model.preprocessing.size})",
        ]
    else:
        ways += [f"a lower learning.optimizer.learning_rate (now {rates.learning_rate:g})"]
    if worst.reference == "parent" and plan.learning.initialization == "independent":
        ways += ["learning.initialization: parent"]
    ways += ["a higher weight of feature-distillation in regularizers"]
    return f"{', '.join(ways[:-1])} or {ways[-1]}"
