"""A version as one file for other programs: checked against the original, its cost beside its source's."""

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from holdfast.base import ExportError, require_writable, whole_file
from holdfast.models import Format, Learnable, ProjectedModel, read_exported, write_exported
from holdfast.runs.distill import count_parameters
from holdfast.store import Store

TOLERANCE = 1e-4
"""By how much a number of an embedding may differ from the original's."""
CHECKED = 32
ROUNDS = 200

Embed = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Exported:
    """One network, or the map of a projection, as a file: its bytes, its learned numbers, its milliseconds
    for one image on one core, and by how much its embeddings differ from the original's."""

    version: str
    size: int
    parameters: int
    milliseconds: float
    difference: float


def export_version(store: Store, name: str, format: Format, output: Path) -> tuple[Exported, Exported | None]:
    """Write what was learned of a version to `output`, whole or not at all.

    The file takes uint8 pixels (b, channels, size, size), as its preprocessing fits them (of a projection the
    vectors of its base, float32 (b, d_base)), and gives float32 embeddings (b, dimension) of unit norm; the
    view and the scaling are inside.

    Returns:
        What was written, and the same of the version that it was distilled from, if that is a network that
        was learned here.

    Raises:
        NotFoundError: no such version.
        ConfigError: what this format needs is not installed.
        DataError: `output` cannot be written, which is found out before anything else.
        ExportError: the file's embeddings differ from the original's; nothing is written.
    """
    require_writable(output)
    version = store.versions.get(name)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".holdfast-export-", dir=output.parent) as folder:
        file = Path(folder) / output.name
        written = _export(store, version.name, format, file)
        with whole_file(output) as draft:
            file.replace(draft)
        source = version.distilled_from
        if source is None or not store.versions.get(source).has_network:
            return written, None
        return written, _export(store, source, format, Path(folder) / "source")


def _export(store: Store, name: str, format: Format, file: Path) -> Exported:
    learned = _learned(store, name)
    write_exported(learned, format, file)
    embed = read_exported(format, file)
    difference = _difference(name, learned, embed)
    milliseconds = _latency(embed, some_inputs(learned, 1))
    return Exported(name, file.stat().st_size, count_parameters(learned), milliseconds, difference)


def _learned(store: Store, name: str) -> Learnable:
    """Raises ConfigError for a version of which nothing was learned here."""
    model = store.versions.load(name)
    return model.projection if isinstance(model, ProjectedModel) else store.versions.load_encoder(name)


def _difference(name: str, learned: Learnable, embed: Embed) -> float:
    """The largest difference in any number of an embedding, over batches of several sizes."""
    difference = 0.0
    for count in (1, 2, CHECKED):
        inputs = some_inputs(learned, count)
        difference = max(difference, float(np.abs(embed(inputs) - learned.embed(inputs)).max()))
    # Not a number is no small difference either.
    if not difference <= TOLERANCE:
        raise ExportError(
            f"The exported {name} makes embeddings that differ by {difference:.2g} from the original's; at "
            f"most {TOLERANCE:g} is allowed, so nothing was written. Try the other format, and report this."
        )
    return difference


def some_inputs(learned: Learnable, count: int) -> np.ndarray:
    """The inputs that it can always be asked about, again and again until there are `count`, each time in
    another order."""
    probes = learned.probes()
    generator = np.random.default_rng(count)
    rounds = [generator.permutation(len(probes)) for _ in range(-(-count // len(probes)))]
    return probes[np.concatenate(rounds)[:count]]


def _latency(embed: Embed, pixels: np.ndarray) -> float:
    """Median milliseconds of a call on one core, after some to warm up."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in range(ROUNDS // 10):
            embed(pixels)
        seconds = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            embed(pixels)
            seconds.append(time.perf_counter() - started)
    finally:
        torch.set_num_threads(threads)
    return 1000 * statistics.median(seconds)
