"""The networks that are trained, and what is measured of each: one cell of the benchmark."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch

from experiments.benchmarks.codes.coders import (
    POST_HOC,
    Coder,
    Scorer,
    nearness,
    product_codes,
    products,
)
from experiments.benchmarks.codes.dpq import DPQHead
from experiments.benchmarks.codes.scoring import METRICS, PRECISE, score_all
from experiments.benchmarks.codes.sets import Images, RetrievalSet
from experiments.benchmarks.harness.cells import Outcomes, Record
from holdfast.config import Experiment
from holdfast.learning import Learner, TaskImages, turned_classes
from holdfast.learning.randomness import derive_seed
from holdfast.models import Encoder, Head, OPQNConfig, Quantizer, code_shape
from holdfast.models.codes.quantizer import Counting

BITS = (16, 24, 32, 48, 64)
DIMENSION = 384
"""Divided by the books of every length: 4 to 16 of them with 16 words, 2 to 8 with 256."""
COUNTINGS: Mapping[str, Counting] = {"own": "logarithm", "share": "share"}
"""Coders of OPQN's codes: by the default score, and by the published one."""
MARGIN: Mapping[str, Any] = {"scale": 16, "margin": 0.2}
"""Of every head with a margin, as the experiments of this repository have it."""
ALONE: Mapping[str, Any] = {"hard": 1, "balance": 0.3}
"""Of every OPQN, because no version comes after it."""


FEW = 9_984
"""Training images from which on points are found among their embeddings alone: OPQ, scored by distance. With
fewer, mixtures are added, and OPQ that is scored by distance tells what these are worth."""


@dataclass(frozen=True)
class Books:
    """The words of a book, the sharpness of their assignment, and the embedding's dimension if not all's."""

    words: int = 16
    sharpness: float = 8
    dimension: int | None = None


def books_of(bits: int) -> Books:
    """OPQN's: two large books for the shortest codes, which have to name a class; small ones, which say more
    of a class that is new, for the others. Chosen on the validation classes."""
    return Books(256, 28, 512) if bits == 16 else Books()


@dataclass(frozen=True)
class Network:
    """One way to train.

    Attributes:
        bits: 0 for the network that knows of no codes.
        learned_books: DPQ's head, whose books are small at every length: large ones collapse.
        found: whether OPQN's codewords are placed among its embeddings once they are learned.
        post_hoc: whether its floats are coded by those that know nothing of the network, too.
        variant: whether it is OPQN with another setting, to tell what the setting is worth.
    """

    name: str
    title: str
    bits: int = 0
    head: Mapping[str, Any] = field(default_factory=lambda: {"kind": "cosface", **MARGIN})
    learned_books: bool = False
    found: bool = False
    post_hoc: bool = False
    variant: bool = False

    def experiment(self, where: RetrievalSet, dimension: int, seed: int) -> Experiment:
        """`dimension` is all networks', of which the words of this one's books may want more."""
        return where.experiment(self.head, self.books.dimension or dimension, seed)

    @property
    def books(self) -> Books:
        return Books() if self.learned_books else books_of(self.bits)

    def belongs_to(self, where: RetrievalSet) -> bool:
        of_a_length = not (self.bits and where.lengths) or self.bits in where.lengths
        return of_a_length and (where.variants or not self.variant)


def all_networks(bits: Sequence[int] = BITS, variants_at: int = 32) -> list[Network]:
    """Float, OPQN and DPQ at every length, and at one length what OPQN is without one of its parts."""

    def opqn(length: int, **changes: Any) -> dict[str, Any]:
        books = books_of(length)
        shape = {"bits": length, "words": books.words, "sharpness": books.sharpness}
        return {"kind": "opqn", **shape, **MARGIN, **ALONE, **changes}

    variants: dict[str, tuple[str, dict[str, Any]]] = {
        "each": (
            "every book classified by itself, as published",
            {"classification": "each", "hard": 0, "balance": 0},
        ),
        "hard-0": ("hard codes not classified", {"hard": 0}),
        "balance-0": ("without balance", {"balance": 0}),
        "public": ("normalized at query time only", {"normalization": "public", "assignment": "learned"}),
        "none": ("not normalized", {"normalization": "none", "assignment": "learned"}),
        "learned": ("learned assignment", {"assignment": "learned"}),
        "entropy-0": ("without entropy", {"entropy": 0.0}),
        "entropy-0.5": ("entropy 0.5", {"entropy": 0.5}),
        "margin-0": ("without margin", {"margin": 0.0}),
        "sharpness-4": ("sharpness 4", {"sharpness": 4}),
        "sharpness-16": ("sharpness 16", {"sharpness": 16}),
        "words-4": ("4 words", {"words": 4}),
    }
    return [
        Network("float", "CosFace, no codes", post_hoc=True),
        Network("found", "CosFace, codewords placed afterwards", found=True),
        *(Network(f"opqn-{length}", "OPQN", length, opqn(length), post_hoc=True) for length in bits),
        *(Network(f"dpq-{length}", "DPQ", length, learned_books=True) for length in bits),
        *(
            Network(
                f"opqn-{variants_at}-{name}",
                f"OPQN, {said}",
                variants_at,
                opqn(variants_at, **changes),
                variant=True,
            )
            for name, (said, changes) in variants.items()
        ),
    ]


def decisive(network: Network, where: RetrievalSet, dimension: int, bits: Sequence[int], seed: int) -> Any:
    """All that a cell's figures depend on, but for the code."""
    experiment = network.experiment(where, dimension, seed)
    said = experiment.model_dump(mode="json", include={"data", "model", "learning", "seed"})
    return [said, network.learned_books, network.bits, list(bits) if not network.bits else []]


def measure(
    network: Network, where: RetrievalSet, images: Images, dimension: int, bits: Sequence[int], seed: int
) -> tuple[Record, Outcomes]:
    """Train one network and search with all coders that concern it.

    `record["rows"][coder][part]` has the mean figures in percent; a coder is named with its bits, as "pq-32".
    Every query's average precision lies beside under "coder/part", uint16, 65,535 of which are 1.
    """
    started = time.perf_counter()
    encoder, head = train(network, network.experiment(where, dimension, seed), images)
    learning = time.perf_counter() - started
    record: Record = {"seed": seed, "learning_seconds": round(learning, 1), "rows": {}}
    values: Outcomes = {}
    coders = dict(_coders(network, encoder, head, images, bits))
    for part, evaluation in images.parts.items():
        queries, gallery = (encoder.embed(side.images) for side in (evaluation.queries, evaluation.gallery))
        for coder, code in coders.items():
            scorer = code(queries, gallery)
            labels = evaluation.queries.labels, evaluation.gallery.labels
            found = score_all(scorer, *labels)
            means = {metric: 100 * float(found[metric].mean()) for metric in METRICS}
            record["rows"].setdefault(coder, {})[part] = means
            values[f"{coder}/{part}"] = np.rint(PRECISE * found["map"]).astype(np.uint16)
    record["total_seconds"] = round(time.perf_counter() - started, 1)
    return record, values


def train(network: Network, experiment: Experiment, images: Images) -> tuple[Encoder, Head]:
    """All seen classes at once."""
    training, config = images.training, experiment.learning
    classes, labels = np.unique(training.labels, return_inverse=True)
    names = tuple(classes.tolist())
    torch.manual_seed(derive_seed(experiment.seed, "codes", "initialization"))
    encoder = Encoder(experiment.model)
    count, dimension = len(turned_classes(names, config.turns)), experiment.model.dimension
    head: Head
    if network.learned_books:
        head = DPQHead(code_shape(network.bits, network.books.words, dimension), count)
    else:
        head = experiment.model.head.build(dimension, count)
    indices = np.arange(len(training))
    upright = torch.from_numpy(labels.astype(np.int64))
    images_of_all = TaskImages(0, 1, "all", training.images, indices, upright, names, config.turns)
    learner = Learner(config, images_of_all, encoder=encoder, head=head, seed=experiment.seed)
    learner.begin()
    learner.learn(save=lambda: None)
    return encoder.eval(), head.eval()


def _coders(
    network: Network, encoder: Encoder, head: Head, images: Images, bits: Sequence[int]
) -> Iterator[tuple[str, Coder]]:
    """The network's floats, its own codes, and those that are trained on its floats afterwards."""
    yield "float", products
    for coder, counting in COUNTINGS.items():
        quantizer = _quantizer(encoder, counting)
        if quantizer is not None:
            yield f"{coder}-{network.bits}", partial(_by_codewords, quantizer)
    if isinstance(head, DPQHead):

        def learned(queries: np.ndarray, gallery: np.ndarray) -> Scorer:
            return nearness(head.reconstruct(queries, hard=False), head.reconstruct(gallery, hard=True))

        yield f"own-{network.bits}", learned
    sample = encoder.embed(images.training.images) if network.found or network.post_hoc else None
    if sample is not None and network.found:
        for length in bits:
            yield f"own-{length}", partial(_by_codewords, _placed(length, sample))
            if len(sample) < FEW:
                yield f"opq-distance-{length}", product_codes(length, sample, turned=True, score=nearness)
    if sample is not None and network.post_hoc:
        for length in [network.bits] if network.bits else bits:
            for kind, train in POST_HOC.items():
                yield f"{kind}-{length}", train(length, sample)


def _quantizer(encoder: Encoder, counting: Counting) -> Quantizer | None:
    config = encoder.config.head
    if not isinstance(config, OPQNConfig):
        return None
    config = config.model_copy(update={"counting": counting})
    return config.quantizer(encoder.dimension, encoder.assignment)


def _placed(bits: int, sample: np.ndarray) -> Quantizer:
    config = OPQNConfig(bits=bits, words=256, assignment="found")
    matrix = config.new_matrix(sample.shape[1])
    config.settle_matrix(matrix, None, lambda: sample)
    return config.quantizer(sample.shape[1], matrix)


def _by_codewords(quantizer: Quantizer, queries: np.ndarray, gallery: np.ndarray) -> Scorer:
    return products(quantizer.ask(queries), quantizer.decode(quantizer.encode(gallery)))
