"""An experiment's images, decoded once a machine."""

from collections.abc import Callable

from holdfast.config import Experiment
from holdfast.data import Featurizer, ImageSet, draw_sample, load_evaluation, load_training, require_disjoint
from holdfast.learning import Datasets, Progress, Watcher, ignore_progress
from holdfast.models import Model, Preprocessing


def load_datasets(
    experiment: Experiment,
    watch: Watcher = ignore_progress,
    decoder: Preprocessing | Featurizer | None = None,
    base: Model | None = None,
) -> Datasets:
    """Decode, or map from the cache, what an experiment trains on and is evaluated on.

    Args:
        decoder: that of another model, which is to be measured on the same images, or its vectors.
        base: what makes the vectors that the experiment learns over, where it does not learn from images.

    Raises:
        DataError: see `load_training` and `load_evaluation`; also when an image is in both parts.
    """

    def decoding(done: int, total: int) -> None:
        phase = "embedding" if isinstance(reader, Featurizer) else "decoding"
        watch(Progress(phase, 0, 0, step=done, steps=total))

    # What the experiment's own model sees decides: another one may not tell two images apart.
    own = decoder is None or decoder == experiment.model.preprocessing
    reader = decoder or own_reader(experiment, base)
    training = load_own_training(experiment, decoding, reader)
    evaluation = load_evaluation(experiment.data, reader, experiment.seed, progress=decoding, selections=())
    notes = (*training.notes, *evaluation.queries.notes)
    if own:
        notes += require_disjoint(experiment.data, training, evaluation)
    sample = None
    if experiment.sample is not None and experiment.sample.evaluation:
        evaluation, sample = draw_sample(evaluation, experiment.sample.size, experiment.seed)
    return Datasets(
        training=training, evaluation=evaluation, sample=sample, notes=tuple(dict.fromkeys(notes))
    )


def load_own_training(
    experiment: Experiment,
    progress: Callable[[int, int], None] | None = None,
    reader: Preprocessing | Featurizer | None = None,
) -> ImageSet:
    """What an experiment trains on, alone."""
    validation = experiment.stream.validation
    return load_training(
        experiment.data,
        reader or own_reader(experiment),
        progress=progress,
        selections=[validation] if isinstance(validation, str) else [],
    )


def own_reader(experiment: Experiment, base: Model | None = None) -> Preprocessing | Featurizer:
    """How an experiment's images become what its model reads: pixels, or the vectors of `base`."""
    if base is None:
        return experiment.model.preprocessing
    return Featurizer(base.contract().id, base)
