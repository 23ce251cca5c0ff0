"""Measuring a lineage again, on any experiment's evaluation data."""

import warnings
from pathlib import Path
from typing import Any

from holdfast.base import DataError, NotFoundError
from holdfast.config import Experiment
from holdfast.evaluation import PAGE
from holdfast.learning import Datasets, Watcher, describe_contents, outline_contents
from holdfast.publishing import DATA, published_by
from holdfast.runs.bases import find_base, with_base
from holdfast.runs.datasets import load_datasets
from holdfast.runs.galleries import with_gallery
from holdfast.runs.parents import with_parent
from holdfast.runs.publisher import open_publisher
from holdfast.runs.run_folder import RunFolder
from holdfast.runs.run_lock import holding_run
from holdfast.store import Run, Store


def evaluate_lineage(store: Store, experiment: Experiment, newest: str | None, watch: Watcher) -> Path:
    """Redraw the experiment's report for the lineage that ends with `newest`; returns report.html's path.

    Raises:
        NotFoundError: the experiment never ran in this store, or the version does not exist.
        RunHeldError: another process is at work on the run, and redraws its report itself.
    """
    experiment = with_parent(store, with_base(store, experiment))
    run = store.runs.get(experiment.name)
    with holding_run(store, run.name):
        experiment = with_gallery(store, experiment)
        if newest is None:
            own = [version.name for version in store.versions.list() if version.run == run.name]
            if not own:
                raise NotFoundError(
                    f"Run '{run.name}' has published no version yet; holdfast run goes on with it."
                )
            newest = own[-1]
        publisher = open_publisher(store, experiment, run, _load(store, experiment, watch))
        publisher.report(store.versions.get(newest).name)
        return RunFolder(store, run.name).path / PAGE


def has_report(store: Store, run: Run) -> bool:
    """Whether a run's report is there, whole, and about versions of this store."""
    return RunFolder(store, run.name).report(store.versions.list()) is not None


def require_same_data(store: Store, experiment: Experiment, run: Run, watch: Watcher) -> None:
    """Raises DataError if a finished run learned from, or was measured on, other data than there are now.

    Data that are gone say nothing against its report.
    """
    newest = published_by(store, run)[-1]
    before = newest.metrics.get(DATA, {"training": {"fingerprint": newest.data_fingerprint}})
    try:
        now = outline_contents(describe_contents(_load(store, experiment, watch)))
    except DataError as error:
        warnings.warn(f"Run '{run.name}' is finished; its data can no longer be read. {error}", stacklevel=2)
        return
    changed = [
        part for part in now if part in before and now[part]["fingerprint"] != before[part]["fingerprint"]
    ]
    if changed:
        raise DataError(
            f"Run '{run.name}' is finished, and the data have changed since: {_said(before, now, changed)}. "
            f"Its report is still at {RunFolder(store, run.name).place(PAGE)}; bring back the data as they "
            "were, or start over with --fresh."
        )


def _said(before: dict[str, Any], now: dict[str, Any], parts: list[str]) -> str:
    clauses = []
    for part in parts:
        then, new = {**now[part], **before[part]}, now[part]
        counted = [what for what in ("classes", "images") if then[what] != new[what]]
        said = " and ".join(f"{new[what]} {what} instead of {then[what]}" for what in counted)
        clauses.append(f"{part}: {said or 'other images'}")
    return "; ".join(clauses)


def restore_report(store: Store, experiment: Experiment, run: Run, watch: Watcher) -> Path:
    """The page of a finished run, drawn anew if it is gone or damaged. The caller holds the run.

    Raises DataError if it has to be drawn, and the data for it is gone as well.
    """
    if not has_report(store, run):
        newest = published_by(store, run)[-1].name
        try:
            data = _load(store, experiment, watch)
        except DataError as error:
            raise DataError(
                f"Run '{run.name}' is finished, but its report is gone, and cannot be drawn anew: {error}"
            ) from error
        open_publisher(store, experiment, run, data).report(newest)
    return RunFolder(store, run.name).path / PAGE


def _load(store: Store, experiment: Experiment, watch: Watcher) -> Datasets:
    return load_datasets(experiment, watch, base=find_base(store, experiment))
