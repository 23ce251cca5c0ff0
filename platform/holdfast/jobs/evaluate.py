"""Measuring a lineage again, on any experiment's evaluation data."""

from pathlib import Path

from holdfast.config import Experiment
from holdfast.errors import DataError, NotFoundError
from holdfast.jobs.ancestor import find_unusable, lineage, warn_of_unusable
from holdfast.jobs.datasets import load_datasets
from holdfast.jobs.publisher import StorePublisher
from holdfast.jobs.run_folder import PAGE, RunFolder, published_by
from holdfast.jobs.run_lock import holding_run
from holdfast.learning import Watcher
from holdfast.store import Run, Store


def evaluate_lineage(store: Store, experiment: Experiment, newest: str | None, watch: Watcher) -> Path:
    """Redraw the experiment's report for the lineage that ends with `newest`; returns report.html's path.

    Raises:
        NotFoundError: the experiment never ran in this store, or the version does not exist.
        RunHeldError: another process is at work on the run, and redraws its report itself.
    """
    run = store.runs.get(experiment.name)
    with holding_run(store, run.name):
        if newest is None:
            own = [version.name for version in store.versions() if version.run == run.name]
            if not own:
                raise NotFoundError(
                    f"Run '{run.name}' has published no version yet; holdfast run goes on with it."
                )
            newest = own[-1]
        newest = store.version(newest).name
        warn_of_unusable(find_unusable(store, lineage(store, newest)[:-1]))
        publisher = StorePublisher(store, experiment, run, load_datasets(experiment, watch))
        return publisher.report(newest)


def has_report(store: Store, run: Run) -> bool:
    """Whether a run's report is there, whole, and about versions of this store."""
    return RunFolder(store, run.name).report(store.versions()) is not None


def restore_report(store: Store, experiment: Experiment, run: Run, watch: Watcher) -> Path:
    """The page of a finished run, drawn anew if it is gone or damaged. The caller holds the run.

    Raises DataError if it has to be drawn, and the data for it is gone as well.
    """
    if not has_report(store, run):
        newest = published_by(store, run)[-1].name
        try:
            data = load_datasets(experiment, watch)
        except DataError as error:
            raise DataError(
                f"Run '{run.name}' is finished, but its report is gone, and cannot be drawn anew: {error}"
            ) from error
        StorePublisher(store, experiment, run, data).report(newest)
    return RunFolder(store, run.name).path / PAGE
