"""An experiment's images, decoded once a machine."""

from holdfast.config import Experiment
from holdfast.data import load_evaluation, load_training
from holdfast.learning import Datasets, Progress, Watcher
from holdfast.learning.progress import ignore_progress
from holdfast.models import Preprocessing


def load_datasets(
    experiment: Experiment, watch: Watcher = ignore_progress, decoder: Preprocessing | None = None
) -> Datasets:
    """Decode, or map from the cache, what an experiment trains on and is evaluated on.

    `decoder` is that of another model, which is to be measured on the same images.
    """

    def decoding(done: int, total: int) -> None:
        watch(Progress("decoding", 0, 0, step=done, steps=total))

    decoder = decoder or experiment.model.preprocessing
    return Datasets(
        training=load_training(experiment.data, decoder, progress=decoding),
        evaluation=load_evaluation(experiment.data, decoder, experiment.seed, progress=decoding),
    )
