"""The images of the benchmark: what is learned, and what is searched among learned and among new classes."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from holdfast.config import Experiment, parse_experiment
from holdfast.data import Evaluation, ImageSet, load_images, select
from holdfast.data.config import SplitConfig

Values = dict[str, Any]
HELD_OUT = {"groups": 5, "labels": 3}
"""Every so many-th group, or class where there are no groups, is new to the model."""
MOST_QUERIES, MOST_ENTRIES = 1000, 10_000
"""Of either part; more of them would make the figures no truer, and the full rankings long."""


@dataclass(frozen=True, eq=False)
class Images:
    """What is learned, and the queries and the gallery of seen and of unseen classes, in drawn order."""

    training: ImageSet
    parts: Mapping[str, Evaluation]


@dataclass(frozen=True)
class RetrievalSet:
    """One data set.

    Attributes:
        values: an experiment's data, model and learning; its heads are the benchmark's.
        lengths: of the codes, in bits; all of them if empty.
        variants: whether OPQN without one of its parts is measured too.
    """

    name: str
    title: str
    values: Values
    divide: Callable[[ImageSet, ImageSet], Images]
    lengths: tuple[int, ...] = ()
    variants: bool = False

    def experiment(self, head: Mapping[str, Any], dimension: int, seed: int) -> Experiment:
        """The experiment of one network. Raises ConfigError."""
        values = copy.deepcopy(self.values)
        values["model"].update(head=dict(head), dimension=dimension)
        return parse_experiment(
            {"name": self.name, "seed": seed, "stream": {"tasks": 1}, **values}, self.name
        )

    def load(self) -> Images:
        """Decode, or map from the cache, the images. Raises DataError."""
        experiment = self.experiment({"kind": "cosface"}, 64, 0)
        data, decoder = experiment.data, experiment.model.preprocessing
        first, second = (
            load_images(data.source, split, decoder, data.columns)
            for split in (data.train, SplitConfig(**data.evaluate.model_dump(include={"split", "where"})))
        )
        return self.divide(first, second)


def by_drawer(background: ImageSet, evaluation: ImageSet) -> Images:
    """Omniglot: the drawers that are held out ask among the others; new alphabets are the evaluation's."""
    asks, new = select("drawer > 16", background.columns), select("drawer <= 5", evaluation.columns)
    return _images(
        background.take(~asks),
        {
            "seen": Evaluation(background.take(asks), background.take(~asks)),
            "unseen": Evaluation(evaluation.take(new), evaluation.take(~new)),
        },
    )


def by_alphabet(background: ImageSet, evaluation: ImageSet) -> Images:
    """Omniglot's validation classes: the same among the training images alone, without those that ask in
    `by_drawer`."""
    held = np.isin(
        background.groups, np.unique(background.groups)[HELD_OUT["groups"] - 1 :: HELD_OUT["groups"]]
    )
    learned, asks, new = (
        select(drawers, background.columns) for drawers in ("drawer <= 14", "drawer <= 16", "drawer <= 5")
    )
    training = background.take(learned & ~held)
    return _images(
        training,
        {
            "seen": Evaluation(background.take(asks & ~learned & ~held), training),
            "unseen": Evaluation(background.take(new & held), background.take(asks & ~new & held)),
        },
    )


def by_split(train: ImageSet, test: ImageSet) -> Images:
    """Test images ask among training images; some groups, or classes, are kept from the model."""
    grouped = len(np.unique(train.groups)) > 1
    every = HELD_OUT["groups" if grouped else "labels"]
    units = [part.groups if grouped else part.labels for part in (train, test)]
    held = np.unique(units[0])[every - 1 :: every]
    new, asks = (np.isin(unit, held) for unit in units)
    return _images(
        train.take(~new),
        {
            "seen": Evaluation(test.take(~asks), train.take(~new)),
            "unseen": Evaluation(test.take(asks), train.take(new)),
        },
    )


def by_class(train: ImageSet, evaluation: ImageSet) -> Images:
    """Built-in characters: a quarter of every class asks; new classes are the evaluation's."""
    parts = {}
    for name, images in (("seen", train), ("unseen", evaluation)):
        _, codes = np.unique(images.labels, return_inverse=True)
        ranks = np.array([np.count_nonzero(codes[:at] == code) for at, code in enumerate(codes)])
        asks = ranks % 4 == 0
        parts[name] = Evaluation(images.take(asks), images.take(~asks))
    return _images(parts["seen"].gallery, parts)


def all_sets(quick: bool = False) -> dict[str, RetrievalSet]:
    """By name, in the order of the tables. `quick` gives each of them the built-in images.

    Networks of half the width and few epochs: all of them by five seeds have to fit in some hours. The
    defaults of the head were chosen on `choose`.
    """
    optimizer = {"learning_rate": 0.01}
    omniglot = {
        "data": {
            "source": "parquet:$HOLDFAST_DATA/omniglot.parquet",
            "columns": {"drawer": {"of": "sample_id", "pattern": r"_(\d+)$"}},
            "train": {"split": "background"},
            "evaluate": {"split": "evaluation"},
        },
        "model": {"width": 0.5},
        "learning": {"epochs": 24, "batch_size": 64, "optimizer": optimizer},
    }
    grocery = {
        "data": {
            "source": "parquet:$HOLDFAST_DATA/grocery.parquet",
            "train": {"split": "train"},
            "evaluate": {"split": "test"},
        },
        "model": {"width": 0.5, "preprocessing": {"size": 64, "channels": 3, "fit": "crop"}},
        "learning": {"epochs": 12, "batch_size": 64, "optimizer": optimizer, "augment": {"flip": True}},
    }
    fashion = {
        "data": {
            "source": "parquet:$HOLDFAST_DATA/fashion_mnist.parquet",
            "train": {"split": "train"},
            "evaluate": {"split": "test"},
        },
        "model": {"width": 0.5},
        "learning": {"epochs": 2, "batch_size": 128, "optimizer": optimizer, "augment": {"flip": True}},
    }
    sets = [
        RetrievalSet("omniglot", "Omniglot", omniglot, by_drawer, variants=True),
        RetrievalSet("grocery", "Grocery", grocery, by_split),
        RetrievalSet("fashion-mnist", "Fashion-MNIST", fashion, by_split),
        RetrievalSet(
            "choose", "Omniglot, validation classes", omniglot, by_alphabet, lengths=(32,), variants=True
        ),
    ]
    if quick:
        sets = [replace(one, values=_small(), divide=by_class) for one in sets]
    return {one.name: one for one in sets}


def _small() -> Values:
    # As many images are learned as the widest embedding has dimensions: FAISS's OPQ ends the process else.
    return {
        "data": {
            "source": "glyphs:?classes=24&instances=48&size=16",
            "train": {"split": "train"},
            "evaluate": {"split": "evaluation"},
        },
        "model": {"width": 0.25, "preprocessing": {"size": 16}},
        "learning": {"epochs": 1, "batch_size": 16},
    }


def _images(training: ImageSet, parts: Mapping[str, Evaluation]) -> Images:
    """Codes make ties, which rank by position, so the positions are drawn: once, alike for all coders."""
    generator = np.random.default_rng(0)

    def drawn(images: ImageSet, most: int) -> ImageSet:
        return images.take(generator.permutation(len(images))[:most])

    return Images(
        training,
        {
            name: Evaluation(drawn(part.queries, MOST_QUERIES), drawn(part.gallery, MOST_ENTRIES))
            for name, part in parts.items()
        },
    )
