"""What a bridge is measured on, opened: the material, the images that ask, and what is right."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from holdfast.base import ConfigError, DataError
from holdfast.publishing.bridging.material import Material
from holdfast.publishing.bridging.of_entries import read_entries
from holdfast.publishing.bridging.of_files import of_images, of_pairs
from holdfast.publishing.bridging.request import BridgeRequest
from holdfast.store import Store, Version


def open_material(store: Store, old: Version, new: Version, request: BridgeRequest) -> Material:
    """Raises ConfigError and DataError, and InvalidVectorError for the vectors of a file."""
    if request.images is not None and request.pairs is not None:
        raise ConfigError("--images and --pairs: name one of them, images or their vectors.")
    if request.pairs is not None:
        return of_pairs(store, old, new, request.pairs, request.labels)
    if request.images is not None:
        return of_images(store, old, request.images, request.labels)
    return read_entries(store, old.name, request.sources, request.labels)


def open_queries(store: Store, old: Version, request: BridgeRequest) -> Material | None:
    """The images that ask, with the label of each where those of the entries are known. None where the
    measured entries ask."""
    if request.queries is None:
        return None
    return of_images(store, old, request.queries, "label" if request.labels is not None else None)


def read_relevance(file: Path | None) -> list[tuple[str, str]] | None:
    """The (query, entry) of a file of relevance pairs whose grade is above zero. Raises DataError."""
    if file is None:
        return None
    try:
        table = _csv(file) if file.suffix.lower() == ".csv" else pq.read_table(file)
    except (OSError, pa.ArrowException, csv.Error, UnicodeDecodeError) as error:
        reason = (str(error).splitlines() or [""])[0].rstrip(".")
        raise DataError(f"The relevance pairs {file} cannot be read: {reason}.") from error
    lacking = {"query", "entry"} - set(table.column_names)
    if lacking:
        raise DataError(
            f"The relevance pairs {file} have no column {' and '.join(sorted(lacking))}: query, entry and "
            "grade are wanted."
        )
    grades: Sequence[object] = (
        table.column("grade").to_pylist() if "grade" in table.column_names else [1] * len(table)
    )
    try:
        right = [float(grade or 0) > 0 for grade in grades]  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise DataError(f"A grade in {file} is not a number: {error}.") from error
    pairs = zip(table.column("query").to_pylist(), table.column("entry").to_pylist(), right, strict=True)
    return [(str(query), str(entry)) for query, entry, good in pairs if good]


def measuring_order(
    material: Material, rest: np.ndarray, relevant: Sequence[tuple[str, str]] | None, seed: int
) -> np.ndarray:
    """In which order items are measured on: those that relevance pairs name first; whole classes where there
    are labels, and nothing without one; else by chance, as `rest` is."""
    if material.labels is not None:
        rest = rest[material.labels[rest] != ""]
        _, codes = np.unique(material.labels[rest].astype(str), return_inverse=True)
        ranks = np.random.default_rng([seed, 1]).permutation(codes.max(initial=-1) + 1)
        return rest[np.argsort(ranks[codes], kind="stable")]
    if relevant is not None:
        named = {name for pair in relevant for name in pair}
        return rest[np.argsort([identifier not in named for identifier in material.ids[rest]], kind="stable")]
    return rest


def _csv(file: Path) -> pa.Table:
    with file.open(newline="", encoding="utf-8") as lines:
        return pa.Table.from_pylist(list(csv.DictReader(lines)))
