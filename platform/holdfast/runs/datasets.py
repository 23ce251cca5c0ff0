"""An experiment's images, decoded once a machine."""

from collections.abc import Callable

from holdfast.config import Experiment
from holdfast.data import ImageSet, load_evaluation, load_training, require_disjoint
from holdfast.learning import Datasets, Progress, Watcher, ignore_progress
from holdfast.models import Preprocessing


def load_datasets(
    experiment: Experiment, watch: Watcher = ignore_progress, decoder: Preprocessing | None = None
) -> Datasets:
    """Decode, or map from the cache, what an experiment trains on and is evaluated on.

    `decoder` is that of another model, which is to be measured on the same images.

    Raises:
        DataError: see `load_training` and `load_evaluation`; also when an image is in both parts.
    """

    def decoding(done: int, total: int) -> None:
        watch(Progress("decoding", 0, 0, step=done, steps=total))

    # What the experiment's own model sees decides: another one may not tell two images apart.
    own = decoder is None or decoder == experiment.model.preprocessing
    decoder = decoder or experiment.model.preprocessing
    training = load_own_training(experiment, decoding, decoder)
    evaluation = load_evaluation(experiment.data, decoder, experiment.seed, progress=decoding, selections=())
    notes = (*training.notes, *evaluation.queries.notes)
    if own:
        notes += require_disjoint(experiment.data, training, evaluation)
    return Datasets(training=training, evaluation=evaluation, notes=tuple(dict.fromkeys(notes)))


def load_own_training(
    experiment: Experiment,
    progress: Callable[[int, int], None] | None = None,
    decoder: Preprocessing | None = None,
) -> ImageSet:
    """What an experiment trains on, alone."""
    validation = experiment.stream.validation
    return load_training(
        experiment.data,
        decoder or experiment.model.preprocessing,
        progress=progress,
        selections=[validation] if isinstance(validation, str) else [],
    )
