"""The images of the benchmarks, as kept activations: what is learned, and who asks whom."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from experiments.benchmarks.papers.activations import Lower, keep, replaced
from holdfast.base import DataError
from holdfast.data import DataConfig, Evaluation, ImageSet, load_evaluation, load_training
from holdfast.data.shares import shuffled_ranks
from holdfast.learning import Datasets
from holdfast.models import Preprocessing

MOST = 50
"""Training images of a class, at most: a few classes of Caltech have hundreds."""
SHARES = (0.6, 0.2)
"""Where training images are divided, of each class's: what is learned, and what asks; the rest answers."""


@dataclass(frozen=True)
class Photographs:
    """A source. `open`: classes that are never learned are evaluated on."""

    data: DataConfig
    open: bool


def photographs(quick: bool) -> Mapping[str, Photographs]:
    if quick:
        built_in = {
            "source": "glyphs:?classes=24&instances=8&size=32",
            "train": {"split": "train"},
            "evaluate": {"split": "evaluation", "queries": 0.5},
        }
        one = Photographs(DataConfig.model_validate(built_in), True)
        return {"grocery": one, "caltech": one}
    grocery = {
        "source": "parquet:$HOLDFAST_DATA/grocery_160.parquet",
        "train": {"split": "train"},
        "evaluate": {"split": "test", "queries": 0.5},
    }
    caltech = {
        "source": "parquet:$HOLDFAST_DATA/caltech101_160.parquet",
        "train": {"split": "train"},
        "evaluate": {"split": "evaluation", "queries": 0.25},
    }
    return {
        "grocery": Photographs(DataConfig.model_validate(grocery), False),
        "caltech": Photographs(DataConfig.model_validate(caltech), True),
    }


def decoder(size: int) -> Preprocessing:
    """As the networks were trained: the centre, bicubic."""
    return Preprocessing(size=size, channels=3, fit="crop", resampling="bicubic")


def load_pixels(source: Photographs, size: int) -> Datasets:
    """The decoded images. Raises DataError."""
    training = load_training(source.data, decoder(size))
    ranks, _ = shuffled_ranks(training.labels, np.random.default_rng(0))
    training = training.take(ranks < MOST)
    return Datasets(training, load_evaluation(source.data, decoder(size), seed=0))


def load_kept(
    source: Photographs, size: int, networks: list[Lower], folder: Path
) -> tuple[Datasets, list[int]]:
    """The same as kept activations of the networks, and the side of each one's maps."""
    pixels = load_pixels(source, size)
    training, sides = keep(pixels.training, networks, folder)
    sets = [pixels.evaluation.queries, pixels.evaluation.gallery]
    queries, gallery = (replaced(each, keep(each, networks, folder)[0]) for each in sets)
    return Datasets(replaced(pixels.training, training), Evaluation(queries, gallery)), sides


def closed(data: Datasets, source: Photographs) -> Datasets:
    """Classes that are learned are evaluated on: of a source of open sets, held-out training images."""
    if not source.open:
        return data
    return _divide(data.training, seed=1)


def choice(data: Datasets) -> Datasets:
    """The training images alone, divided: the evaluation images are not among them."""
    return _divide(data.training, seed=2)


def _divide(images: ImageSet, seed: int) -> Datasets:
    """Shares of each class: learned, asking, and the rest answers."""
    ranks, sizes = shuffled_ranks(images.labels, np.random.default_rng(seed))
    learned = np.maximum(np.round(sizes * SHARES[0]), 2)
    asking = learned + np.maximum(np.round(sizes * SHARES[1]), 1)
    training = images.take(ranks < learned)
    queries = images.take((ranks >= learned) & (ranks < asking))
    gallery = images.take(ranks >= asking)
    lacking = set(queries.labels.tolist()) - set(gallery.labels.tolist())
    if lacking:
        raise DataError(f"Too few images of {', '.join(sorted(lacking)[:3])} to ask and to answer.")
    return Datasets(training, Evaluation(queries, gallery))


def with_wrong_labels(data: Datasets, share: float) -> Datasets:
    """A share of the training images, always the same, has the class of another one."""
    training = data.training
    generator = np.random.default_rng(3)
    names = np.unique(training.labels)
    wrong = generator.permutation(len(training.labels))[: round(share * len(training.labels))]
    codes = np.searchsorted(names, training.labels)
    codes[wrong] = (codes[wrong] + generator.integers(1, len(names), len(wrong))) % len(names)
    said = hashlib.sha256(f"{training.fingerprint} {share} wrong".encode()).hexdigest()
    return replace(data, training=replace(training, labels=names[codes], fingerprint=said))
