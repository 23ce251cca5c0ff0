"""The publisher of a run."""

from collections.abc import Callable
from functools import partial

from holdfast.config import Experiment
from holdfast.data import Featurizer
from holdfast.learning import Datasets
from holdfast.models import Preprocessing
from holdfast.publishing import StorePublisher
from holdfast.runs.datasets import load_datasets
from holdfast.runs.run_folder import RunFolder
from holdfast.store import Run, Store


def open_publisher(
    store: Store,
    experiment: Experiment,
    run: Run,
    data: Datasets,
    still_ours: Callable[[], None] = lambda: None,
    publish_anyway: bool = False,
) -> StorePublisher:
    """Publishes what a run learns of `data`. `still_ours` raises if another process has taken it over;
    `publish_anyway` takes also what is surely worse than doing nothing."""

    def decode(reader: Preprocessing | Featurizer) -> Datasets:
        return load_datasets(experiment, decoder=reader)

    # Who followed the run is no part of what its versions were made from.
    experiment = experiment.model_copy(update={"tracking": ()})
    return StorePublisher(
        store, experiment, run, data, partial(RunFolder, store), decode, still_ours, publish_anyway
    )
