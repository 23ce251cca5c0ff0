"""Measuring a lineage again, on any experiment's evaluation data."""

from pathlib import Path

from holdfast.config import Experiment
from holdfast.errors import NotFoundError
from holdfast.jobs.datasets import load_datasets
from holdfast.jobs.publisher import StorePublisher
from holdfast.learning import Watcher
from holdfast.store import Store


def evaluate_lineage(store: Store, experiment: Experiment, newest: str | None, watch: Watcher) -> Path:
    """Redraw the experiment's report for the lineage that ends with `newest`; returns report.html's path.

    Raises:
        NotFoundError: the experiment never ran in this store, or the version does not exist.
    """
    run = store.runs.get(experiment.name)
    if newest is None:
        own = [version.name for version in store.versions() if version.run == run.name]
        if not own:
            raise NotFoundError(
                f"Run '{run.name}' has published no version yet; holdfast run goes on with it."
            )
        newest = own[-1]
    publisher = StorePublisher(store, experiment, run, load_datasets(experiment, watch))
    return publisher.report(store.version(newest).name)
