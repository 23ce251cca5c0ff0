"""The training and the evaluation images of an experiment."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from holdfast.base import DataError
from holdfast.data.cache import map_rows
from holdfast.data.classes import number_classes
from holdfast.data.config import DataConfig, EvaluateConfig
from holdfast.data.decode import OnDecoded, load_images
from holdfast.data.decoder import Decoder
from holdfast.data.features import Featurizer
from holdfast.data.image_set import ImageSet
from holdfast.data.selection import select
from holdfast.data.shares import rounded_share, shuffled_ranks
from holdfast.data.sources import some


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Disjoint images; every class of a query has images in the gallery."""

    queries: ImageSet
    gallery: ImageSet


def load_training(
    config: DataConfig,
    decoder: Decoder | Featurizer | None,
    cache: Path | None = None,
    progress: OnDecoded | None = None,
    selections: Collection[str] | None = None,
) -> ImageSet:
    """The training images. `selections`: what will be selected from them; None for whatever may be.

    Raises:
        DataError: see `load_images`; also when there is only one class.
    """
    images = load_images(
        config.source,
        config.train,
        decoder,
        config.columns,
        config.undecodable,
        cache,
        progress,
        selections,
        config.shuffle if config.streaming else None,
    )
    _require_classes(images, config, "training")
    return images


def load_evaluation(
    config: DataConfig,
    decoder: Decoder | Featurizer | None,
    seed: int,
    cache: Path | None = None,
    progress: OnDecoded | None = None,
    selections: Collection[str] | None = None,
) -> Evaluation:
    """The evaluation images, divided into queries and gallery; the same for the same seed.

    `selections`: what will be selected from them, beside the queries; None for whatever may be.

    Raises:
        DataError: see `load_images`; also when there is only one class, no query or no gallery, or a class
            has queries but nothing in the gallery.
    """
    evaluate = config.evaluate
    if selections is not None and isinstance(evaluate.queries, str):
        selections = [*selections, evaluate.queries]
    images = load_images(
        config.source,
        evaluate,
        decoder,
        config.columns,
        config.undecodable,
        cache,
        progress,
        selections,
        config.shuffle if config.streaming else None,
    )
    _require_classes(images, config, "evaluation")
    is_query = _queries(evaluate, images, seed)
    said = f"data.evaluate.queries ({evaluate.queries!r})"
    if not is_query.any():
        raise DataError(f"{said} selects no query among the {len(images)} evaluation {images.what}.")
    if is_query.all():
        raise DataError(
            f"{said} selects all {len(images)} evaluation {images.what}; the gallery would be empty."
        )
    alone = np.setdiff1d(images.labels[is_query], images.labels[~is_query])
    if len(alone):
        raise DataError(
            f"{said} leaves {len(alone)} classes without a gallery {images.what[:-1]}: {some(alone)}."
        )
    queries, gallery = np.flatnonzero(is_query), np.flatnonzero(~is_query)
    return Evaluation(
        queries=images.take(queries, map_rows(images.images, queries)),
        gallery=images.take(gallery, map_rows(images.images, gallery)),
    )


def draw_sample(evaluation: Evaluation, size: int, seed: int) -> tuple[Evaluation, ImageSet]:
    """Take so many images out of the gallery; the same for the same seed. Every class keeps one.

    Raises DataError where it has not so many.
    """
    gallery = evaluation.gallery
    left = dict(zip(*np.unique(gallery.labels, return_counts=True), strict=True))
    drawn = np.zeros(len(gallery), bool)
    for row in np.random.default_rng([seed, 3]).permutation(len(gallery)):
        if drawn.sum() == size:
            break
        if left[gallery.labels[row]] > 1:
            left[gallery.labels[row]] -= 1
            drawn[row] = True
    if drawn.sum() < size:
        raise DataError(
            f"sample.size is {size}, and of the {len(gallery)} images of the evaluation gallery "
            f"{drawn.sum()} can be taken without leaving a class empty: ask for fewer."
        )
    return Evaluation(evaluation.queries, gallery.take(~drawn)), gallery.take(drawn)


def _queries(evaluate: EvaluateConfig, images: ImageSet, seed: int) -> np.ndarray:
    if isinstance(evaluate.queries, str):
        return select(evaluate.queries, images.columns)
    ranks, sizes = shuffled_ranks(images.labels, np.random.default_rng([seed, 2]))
    return np.asarray(ranks < np.minimum(np.maximum(rounded_share(sizes, evaluate.queries), 1), sizes - 1))


def _require_classes(images: ImageSet, config: DataConfig, part: str) -> None:
    classes = number_classes(images.labels).names
    if len(classes) < 2:
        raise DataError(
            f"The {part} {images.what} of {config.source!r} are all of one class ({classes[0]}); "
            "retrieval needs at least two."
        )
