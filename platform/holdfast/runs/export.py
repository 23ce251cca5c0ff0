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
from holdfast.models import Encoder, Format, read_exported, write_exported
from holdfast.runs.distill import count_parameters
from holdfast.store import Store

TOLERANCE = 1e-4
"""By how much a number of an embedding may differ from the original's."""
CHECKED = 32
ROUNDS = 200

Embed = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Exported:
    """One encoder as a file: its bytes, its learned numbers, its milliseconds for one image on one core, and
    by how much its embeddings differ from the original's."""

    version: str
    size: int
    parameters: int
    milliseconds: float
    difference: float


def export_version(store: Store, name: str, format: Format, output: Path) -> tuple[Exported, Exported | None]:
    """Write a version's encoder to `output`, whole or not at all.

    The file takes uint8 pixels (b, channels, size, size), as its preprocessing fits them, and gives float32
    embeddings (b, dimension) of unit norm; the view and the scaling are inside.

    Returns:
        What was written, and the same of the version that it was distilled from, if it was.

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
        if version.distilled_from is None:
            return written, None
        return written, _export(store, version.distilled_from, format, Path(folder) / "source")


def _export(store: Store, name: str, format: Format, file: Path) -> Exported:
    encoder = store.versions.load_encoder(name)
    write_exported(encoder, format, file)
    embed = read_exported(format, file)
    difference = _difference(name, encoder, embed)
    milliseconds = _latency(embed, random_pixels(encoder, 1))
    return Exported(name, file.stat().st_size, count_parameters(encoder), milliseconds, difference)


def _difference(name: str, encoder: Encoder, embed: Embed) -> float:
    """The largest difference in any number of an embedding, over batches of several sizes."""
    difference = 0.0
    for count in (1, 2, CHECKED):
        pixels = random_pixels(encoder, count)
        difference = max(difference, float(np.abs(embed(pixels) - encoder.embed(pixels)).max()))
    # Not a number is no small difference either.
    if not difference <= TOLERANCE:
        raise ExportError(
            f"The exported {name} makes embeddings that differ by {difference:.2g} from the original's; at "
            f"most {TOLERANCE:g} is allowed, so nothing was written. Try the other format, and report this."
        )
    return difference


def random_pixels(encoder: Encoder, count: int) -> np.ndarray:
    """uint8 (count, channels, size, size), of blots and noise: edges and patterns have something to see."""
    generator = np.random.default_rng(count)
    preprocessing = encoder.preprocessing
    size, shape = preprocessing.size, (count, preprocessing.channels)
    coarse = generator.integers(0, 256, (*shape, 4, 4)).repeat(-(-size // 4), 2).repeat(-(-size // 4), 3)
    noise = generator.integers(-20, 21, (*shape, size, size))
    return np.clip(coarse[..., :size, :size] + noise, 0, 255).astype(np.uint8)


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
