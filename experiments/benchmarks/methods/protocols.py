"""The benchmarks: which images, which stream of tasks, which network and how many epochs.

Every method of a benchmark shares them, and with them the budget. The evaluation images are divided once,
with seed 0, so that all seeds and all methods answer the same queries.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from experiments.benchmarks.harness.places import EXPERIMENTS
from holdfast.base import DataError, set_key
from holdfast.config import Experiment, load_experiment, parse_experiment
from holdfast.data import Evaluation, ImageSet, draw_sample, load_evaluation, load_training, select
from holdfast.data.shares import rounded_share, shuffled_ranks
from holdfast.learning import Datasets

HALF, QUARTER = 0.5, 0.25
"""Widths of the network, so that all methods by five seeds fit in some hours of two cores: half of the
shipped one's in streams, a quarter in upgrades."""
UPGRADE_LEARNING: dict[str, Any] = {"epochs": 4, "turns": 1, "batch_size": 128}
"""A sixth of the steps that a stream of many tasks takes: there are four upgrades. With so few, orientations
that are classes of their own do harm: the held-out images of the classes that were learned say so."""
SHIPPED = "-shipped"
"""What benchmarks are called that run an experiment as it ships, at full width, with the recipe alone and the
control that it has to beat."""
HELD_OUT = 5
"""Every so many-th group is held out when weights are chosen: classes of alphabets that no task has."""
SAMPLED = 300
"""Images of a gallery that are embedded anew, where a task has few of its own to fit a map on."""
SMALL_SAMPLE = 8
CHOOSE = "choose"
UNTIED: dict[str, Any] = {"parent": "none", "regularizers": [], "adapter": None}
"""Written out, because what an experiment does not say is the default recipe."""

Values = dict[str, Any]


@dataclass(frozen=True)
class Protocol:
    """One benchmark.

    Attributes:
        values: an experiment without name and seed, as all methods share it: nothing ties its versions.
        recipe: the experiment file whose recipe is the default recipe here.
        newer: what the model of all versions but the first has otherwise (an upgrade to another network).
        coarse: whether the groups are scored too, as coarser classes.
        held_out_classes: evaluate on validation classes, which are taken out of the training images.
        methods: those that are measured here; all of them if empty.
        sample: images of the gallery on which maps are fitted too, without labels; it is searched without
            them, by all methods alike.
    """

    name: str
    title: str
    values: Values
    recipe: str = "omniglot-5"
    newer: Values = field(default_factory=dict)
    coarse: bool = False
    held_out_classes: bool = False
    methods: tuple[str, ...] = ()
    sample: int = 0

    def experiment(self, name: str, seed: int, changes: Mapping[str, Any]) -> Experiment:
        """The experiment of a method, whose `changes` are dotted keys. Raises ConfigError."""
        values: Values = {"name": name, "seed": seed, **copy.deepcopy(self.values)}
        for key, value in changes.items():
            set_key(values, key, value)
        return parse_experiment(values, name)

    @cached_property
    def plain(self) -> Experiment:
        return self.experiment(self.name, 0, {})

    @property
    def place(self) -> str:
        """Benchmarks with the same place have the same decoded images."""
        plain = self.plain
        decoded = [plain.data.model_dump_json(), plain.model.preprocessing.model_dump_json()]
        return "\n".join([*decoded, str(self.held_out_classes), str(self.sample)])

    def load(self) -> Datasets:
        """Decode, or map from the cache, the images. Raises DataError."""
        data, decoder = self.plain.data, self.plain.model.preprocessing
        training = load_training(data, decoder)
        if self.held_out_classes:
            return hold_out_classes(training, data.evaluate.queries)
        evaluation = load_evaluation(data, decoder, seed=0)
        if not self.sample:
            return Datasets(training, evaluation)
        evaluation, sample = draw_sample(evaluation, self.sample, seed=0)
        return Datasets(training, evaluation, sample=sample)

    def changed(self, settings: Mapping[str, Any]) -> "Protocol":
        """The same with other dotted keys, for trying it out."""
        values = copy.deepcopy(self.values)
        for key, value in settings.items():
            set_key(values, key, value)
        return replace(self, values=values)


def hold_out_classes(training: ImageSet, queries: float | str) -> Datasets:
    """Validation classes in place of the evaluation split: all classes of every fifth group.

    `queries` divides their images as it divides the evaluation split's: an expression, or a share of a class.
    Raises DataError if there are not so many groups.
    """
    held = np.isin(training.groups, np.unique(training.groups)[HELD_OUT - 1 :: HELD_OUT])
    if not held.any():
        raise DataError(f"The training images have fewer than {HELD_OUT} groups, so none can be held out.")
    images = training.take(held)
    if isinstance(queries, str):
        asks = select(queries, images.columns)
    else:
        ranks, sizes = shuffled_ranks(images.labels, np.random.default_rng(0))
        asks = ranks < np.clip(rounded_share(sizes, queries), 1, sizes - 1)
    return Datasets(training.take(~held), Evaluation(images.take(asks), images.take(~asks)))


def all_protocols(quick: bool = False) -> dict[str, Protocol]:
    """By name, in the order of the tables; `choose`, on which weights are chosen, is the last.

    `quick` gives each of them small sizes and the built-in images.
    """
    five, ten = _shared("omniglot-5"), _shared("omniglot-10")
    optimizer = five["learning"]["optimizer"]
    # The manifest names the groups that are held out too.
    dealt = {**five, "stream": {**five["stream"], "manifest": None, "by": "group"}}
    tasks_5 = Protocol("omniglot-5", "Omniglot, 5 tasks", five)
    tasks_10 = Protocol("omniglot-10", "Omniglot, 10 tasks", ten, recipe="omniglot-10")
    grocery = Protocol("grocery", "Grocery, 6 tasks by coarse class", _grocery(optimizer), coarse=True)
    glyphs = Protocol("glyphs", "Glyphs, 5 tasks by script", _glyphs(optimizer))
    protocols = [
        tasks_10.changed({"model.width": HALF}),
        _as_shipped(tasks_5),
        _as_shipped(tasks_10),
        _sampled(_as_shipped(tasks_10)),
        *_upgrades(ten),
        grocery,
        _sampled(grocery),
        glyphs,
        _sampled(glyphs),
        Protocol(CHOOSE, "Omniglot, 5 tasks, validation classes", dealt, held_out_classes=True),
    ]
    return {one.name: _small(one) if quick else one for one in protocols}


def _shared(name: str) -> Values:
    """All that the experiment says of images, tasks, network and training, without its recipe."""
    values = load_experiment(EXPERIMENTS / f"{name}.yaml").model_dump(mode="json")
    shared = {key: values[key] for key in ("data", "stream", "model", "learning")}
    shared["learning"]["average"] = None
    return {**shared, **UNTIED}


def _as_shipped(protocol: Protocol) -> Protocol:
    return replace(
        protocol,
        name=protocol.name + SHIPPED,
        title=f"{protocol.title}, full width",
        methods=("finetune", "holdfast"),
    )


def _sampled(protocol: Protocol) -> Protocol:
    """With maps fitted on a sample of the gallery, too: the recipe and the control that it has to beat."""
    return replace(
        protocol,
        name=f"{protocol.name}-sampled",
        title=f"{protocol.title}, with a gallery sample of {SAMPLED}",
        methods=("finetune", "holdfast"),
        sample=SAMPLED,
    )


def _upgrades(ten: Values) -> list[Protocol]:
    """One upgrade from 30 %, of the classes (tasks 0 to 2 of ten) or of every class's images."""
    by_class = {"shares": [0.3, 0.7], "manifest": ten["stream"]["manifest"]}
    by_image = {"shares": [0.3, 0.7]}
    streams = {
        "extended-class": ("extended-class", by_class),
        "extended-data": ("extended-data", by_image),
        "open-class": ("class-incremental", by_class),
        "open-data": ("data-incremental", by_image),
    }
    learning = {**ten["learning"], **UPGRADE_LEARNING}
    model = {**ten["model"], "width": QUARTER}
    made = []
    for split, (scenario, dealt) in streams.items():
        stream = {"scenario": scenario, **dealt, "validation": ten["stream"]["validation"]}
        values = {**ten, "stream": stream, "model": model, "learning": learning}
        made.append(Protocol(f"omniglot-upgrade-{split}", f"Omniglot, one upgrade, {split}", values))
    return made


def _grocery(optimizer: Values) -> Values:
    """Half of each product's test images ask, the other half is the gallery."""
    return {
        "data": {
            "source": "parquet:$HOLDFAST_DATA/grocery.parquet",
            "train": {"split": "train"},
            "evaluate": {"split": "test", "queries": 0.5},
        },
        "stream": {"scenario": "class-incremental", "tasks": 6, "by": "group"},
        "model": {
            "trunk": "conv4",
            "dimension": 128,
            "width": HALF,
            "preprocessing": {"size": 64, "channels": 3, "fit": "crop"},
            "head": {"kind": "cosface", "scale": 16, "margin": 0.2},
        },
        "learning": {
            "epochs": 20,
            "batch_size": 64,
            "optimizer": optimizer,
            "augment": {"flip": True},
            "average": None,
        },
        **UNTIED,
    }


def _glyphs(optimizer: Values) -> Values:
    values = _shared("quickstart")
    values["learning"]["optimizer"] = optimizer
    return {**values, "stream": {"scenario": "class-incremental", "by": "group", "tasks": 5}}


def _small(protocol: Protocol) -> Protocol:
    values = copy.deepcopy(protocol.values)
    values["data"] = {
        "source": f"glyphs:?classes={120 if protocol.held_out_classes else 24}&instances=6&size=16",
        "train": {"split": "train"},
        "evaluate": {"split": "evaluation", "queries": 0.25},
    }
    shares = values["stream"].get("shares")
    values["stream"] = {
        "scenario": values["stream"]["scenario"],
        **({"shares": shares} if shares else {"tasks": 2}),
        "validation": 0.3,
    }
    values["model"].update(width=0.25, dimension=16, preprocessing={"size": 16})
    values["learning"] = {"epochs": 1, "batch_size": 16, "average": None}
    return replace(protocol, values=values, sample=SMALL_SAMPLE if protocol.sample else 0)
