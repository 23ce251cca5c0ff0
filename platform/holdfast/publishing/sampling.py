"""A sample of the gallery at publication: what maps rest on besides what was learned from.

Training images are what a version knows best; entries are what it is going to be asked about.
"""

import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from holdfast.adapters import (
    Adapter,
    AdapterConfig,
    Evidence,
    Pairs,
    RidgeConfig,
    check_pairs,
    fit_from_pairs,
)
from holdfast.backfill import READERS, Sources, UnreadableError
from holdfast.base import DataError, InvalidImageError, TooManyPixelsError
from holdfast.config import SampleConfig
from holdfast.data import ImageSet
from holdfast.entries import Entries
from holdfast.models import Preprocessing
from holdfast.publishing.bridging import LEAST, BothEmbedder, Item, Material, are_related, read_entries
from holdfast.store import Store

WEIGHTS = (1.0, 0.3, 0.1, 0.0)
"""What an image that was learned from may count, in images of the sample."""
_FOLDS = 3


@dataclass(frozen=True, eq=False)
class Sampled:
    """Entries as two versions see them, float32 (n, d) each."""

    older: np.ndarray
    newer: np.ndarray


def sample_entries(
    store: Store, version: str, ancestor: str, config: SampleConfig, seed: int
) -> Sampled | None:
    """Entries of `ancestor` whose images can be read, drawn by chance and embedded by `version` too.

    None where the gallery has none; where it has too few a warning says why.
    """
    if not Entries(store).count().get(ancestor, 0):
        return None
    models = store.versions.load(ancestor), store.versions.load(version)
    embedder = BothEmbedder(*models, names=(ancestor, version), seed=seed)
    try:
        material = read_entries(store, ancestor, Sources.of(config.sources), None)
    except DataError as error:
        _warn(ancestor, str(error))
        return None
    order = np.random.default_rng(seed).permutation(len(material))
    found = embedder.embed(material, order, min(config.size, len(material)), _ignore)
    if len(found) < LEAST:
        reasons = "".join(f"; {count:,} {reason}" for reason, count in embedder.left_out.most_common(4))
        _warn(ancestor, f"{len(found)} of {len(material):,} entries are of use{reasons}.")
        return None
    return Sampled(found.old, found.new)


def embed_sample(
    store: Store,
    version: str,
    ancestor: str,
    images: ImageSet,
    vectors_of: Callable[[str], np.ndarray | None],
) -> Sampled | None:
    """Images that stand for entries, as both versions see them.

    `vectors_of` gives what one whose network is not known makes of them. None where nobody knows.
    """
    made = []
    for name in (ancestor, version):
        if store.versions.get(name).has_network:
            made.append(store.versions.load_encoder(name).embed(images.images))
            continue
        vectors = vectors_of(name)
        if vectors is None:
            return None
        made.append(np.array(vectors))
    return Sampled(*made)


def sample_images(
    store: Store, versions: Sequence[str], config: SampleConfig, preprocessing: Preprocessing, seed: int
) -> np.ndarray | None:
    """Entries of some versions, whichever embedded them, drawn by chance, as images that a model of
    `preprocessing` reads: uint8 (m, C, H, W).

    None where the gallery has none; where it has too few a warning says why.
    """
    sources, counts = Sources.of(config.sources), Entries(store).count()
    materials, reasons = [], []
    for version in versions:
        if counts.get(version):
            try:
                materials.append(read_entries(store, version, sources, None))
            except DataError as error:
                reasons.append(str(error))
    places = [(number, row) for number, one in enumerate(materials) for row in range(len(one))]
    order = np.random.default_rng(seed).permutation(len(places))
    found: list[np.ndarray] = []
    for start in range(0, len(order), config.size):
        for number, one in enumerate(materials):
            chosen = (places[each] for each in order[start : start + config.size])
            rows = np.array(sorted(row for place, row in chosen if place == number), np.int64)
            found += _prepared(one, rows, preprocessing)
        if len(found) >= config.size:
            break
    if len(found) >= LEAST:
        return np.stack(found[: config.size])
    if places or reasons:
        reasons.append(f"{len(found)} of {len(places):,} entries have an image that can be read.")
        warnings.warn(f"No sample of the gallery is learned from: {reasons[0]}", stacklevel=2)
    return None


def _prepared(material: Material, rows: np.ndarray, preprocessing: Preprocessing) -> list[np.ndarray]:
    """Those that can be read."""
    with ThreadPoolExecutor(READERS) as readers:
        made = readers.map(lambda item: _pixels(item, preprocessing), material.read(rows))
        return [pixels for pixels in made if pixels is not None]


def _pixels(item: Item, preprocessing: Preprocessing) -> np.ndarray | None:
    try:
        return None if item.load is None else preprocessing.pixels(item.load())
    except (UnreadableError, TooManyPixelsError, InvalidImageError):
        return None


def fit_on_sample(
    config: AdapterConfig, learned: Pairs, sample: Pairs, seed: int, earlier: Evidence | None = None
) -> Adapter:
    """Fit what `config` names on images that were learned from, and on a sample of the gallery.

    Of a linear map of entries the pairs of the sample decide, by maps that were not fitted on them, how much
    the others count: those tell what a class is, and may be unlike the gallery. Without labels.

    Args:
        earlier: what the parent's adapter was fitted on, as `fit_from_pairs` takes it.

    Raises InvalidVectorError or DataError for pairs that cannot be fitted.
    """
    if not isinstance(config, RidgeConfig) or config.maps != "entries":
        both = (
            np.concatenate([getattr(pairs, side) for pairs in (learned, sample)])
            for side in ("source", "target")
        )
        return fit_from_pairs(config, Pairs(*both), seed)
    known = Evidence.of(*check_pairs(learned.source, learned.target))
    if earlier is not None:
        known = known.plus(earlier)
    toward = config.toward if are_related(sample) else "zero"
    config = config.model_copy(update={"toward": toward, "folds": _FOLDS})
    source, target = sample.source, sample.target
    tried = [config.tried(source, target, seed, known.weighed(weight)) for weight in WEIGHTS]
    best = max(range(len(WEIGHTS)), key=lambda each: tried[each][0])
    return tried[best][1].fit(source, target, seed, known.weighed(WEIGHTS[best]))


def _warn(ancestor: str, reason: str) -> None:
    warnings.warn(
        f"The map from {ancestor} was fitted without a sample of its entries: {reason}", stacklevel=2
    )


def _ignore(done: int, wanted: int) -> None:
    """Nobody is told."""
