"""Images that are trained on and evaluated on: the same pixels, whatever they are called."""

import warnings

import numpy as np

from holdfast.base import DataError
from holdfast.data.config import DataConfig
from holdfast.data.image_set import DIGEST, ImageSet, image_digest
from holdfast.data.loading import Evaluation


def require_disjoint(config: DataConfig, training: ImageSet, evaluation: Evaluation) -> tuple[str, ...]:
    """See that nothing is learned from evaluation images.

    Two images are the same where the encoder gets the same pixels; other names, labels, files or ways of
    compressing without loss make no difference.

    Returns:
        What is to be said in the report: of an overlap that `data.allow_overlap` allows, which is warned of,
        too.

    Raises:
        DataError: images are in both parts. Says how many, names one and what decides.
    """
    learned = _digests(training)
    parts = (evaluation.queries, evaluation.gallery)
    seen = [np.flatnonzero(np.isin(_digests(part), learned)) for part in parts]
    count = sum(map(len, seen))
    if not count:
        return ()
    part, row = next((part, rows[0]) for part, rows in zip(parts, seen, strict=True) if len(rows))
    twin = np.flatnonzero(learned == _digests(part)[row])[0]
    name, twin_name = str(part.sample_ids[row]), str(training.sample_ids[twin])
    example = f"for example {name!r}" + ("" if name == twin_name else f" (in training {twin_name!r})")
    what = training.what
    said = (
        f"Source {config.source!r}: {count} of {sum(map(len, parts))} evaluation {what} are training {what} "
        f"too, {example}"
    )
    if config.allow_overlap:
        note = f"{said}; data.allow_overlap allows it."
        warnings.warn(note, stacklevel=2)
        return (note,)
    raise DataError(
        f"{said}. data.train selects {_selected(config.train.split, config.train.where)}, data.evaluate "
        f"{_selected(config.evaluate.split, config.evaluate.where)}: give them a split or a where that "
        f"leaves no {what[:-1]} in both, or set data.allow_overlap to true if it is meant."
    )


def _selected(split: str | None, where: str | None) -> str:
    chosen = [f"split {split!r}"] if split is not None else []
    chosen += [f"where {where!r}"] if where is not None else []
    return " and ".join(chosen) or "all rows"


def _digests(images: ImageSet) -> np.ndarray:
    """(n,) of bytes, one value an image."""
    digests = images.digests
    if digests is None:
        joined = b"".join(map(image_digest, images.images))
        digests = np.frombuffer(joined, np.uint8).reshape(len(images), DIGEST)
    return np.ascontiguousarray(digests).view(f"V{DIGEST}").reshape(-1)
