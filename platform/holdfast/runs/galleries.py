"""The gallery as something to learn from: its labelled entries, as they were when the run began."""

import hashlib
from urllib.parse import urlencode

from holdfast.base import ConfigError, DataError
from holdfast.config import Experiment
from holdfast.data import VectorColumns, read_columns
from holdfast.entries import write_labelled
from holdfast.runs.run_folder import RunFolder
from holdfast.store import Store

GALLERY = "gallery"
"""Folder of a run."""


def with_gallery(store: Store, experiment: Experiment, anew: bool = False) -> Experiment:
    """The experiment with a file of the gallery's entries in the place of `gallery:`; as it is where it
    learns from something else.

    The file lies with the run, which goes on with the entries that it began with: those of the base version,
    each attribute a column. A run that has not begun takes them as they are now.

    Args:
        experiment: one that `with_base` returned.
        anew: take them as they are now, although the run has begun.

    Raises ConfigError where the experiment learns over no version, DataError where there is nothing to learn
    from.
    """
    uri = experiment.data.source
    kind, _, rest = uri.partition(":")
    if kind != GALLERY:
        return experiment
    base = experiment.model.base
    if base is None:
        raise ConfigError(
            f"data.source is {uri!r}, whose entries are vectors: name the version that made them, as in "
            "model.trunk: {kind: version, name: v1, train: none}."
        )
    columns = _columns(uri, rest)
    label = columns.label or "label"
    version = store.versions.get(base.name)
    name = hashlib.sha256(f"{version.contract} {label}".encode()).hexdigest()[:12] + ".parquet"
    files = RunFolder(store, experiment.name)
    place = files.fetch(GALLERY) / name
    begun = any(run.name == experiment.name for run in store.runs.list())
    if anew or not begun or not place.is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        write_labelled(store, version, label, place)
        files.send(GALLERY)
    query = urlencode({"label": label, **columns.model_dump(exclude_none=True)})
    data = experiment.data.model_copy(update={"source": f"vectors:{files.locate(GALLERY, name)}?{query}"})
    return experiment.model_copy(update={"data": data})


def _columns(uri: str, rest: str) -> VectorColumns:
    columns = read_columns(rest.removeprefix("?"), f"Source {uri!r}")
    given = columns.model_dump(exclude_none=True)
    odd = [key for key in given if key not in ("label", "group", "split")]
    if odd:
        raise DataError(
            f"Source {uri!r}: {odd[0]} cannot be chosen, as entries have an id and a vector; label, group "
            "and split can."
        )
    return columns
