"""An experiment's images, decoded once a machine."""

from holdfast.config import Experiment
from holdfast.data import load_evaluation, load_training
from holdfast.learning import Datasets, Progress, Watcher
from holdfast.learning.progress import ignore_progress


def load_datasets(experiment: Experiment, watch: Watcher = ignore_progress) -> Datasets:
    """Decode, or map from the cache, what an experiment trains on and is evaluated on."""

    def decoding(done: int, total: int) -> None:
        watch(Progress("decoding", 0, 0, step=done, steps=total))

    decoder = experiment.model.preprocessing
    return Datasets(
        training=load_training(experiment.data, decoder, progress=decoding),
        evaluation=load_evaluation(experiment.data, decoder, experiment.seed, progress=decoding),
    )
