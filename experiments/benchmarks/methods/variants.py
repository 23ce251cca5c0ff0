"""How a query of one version meets the entries of another: directly, or by an adapter fitted afterwards.

An adapter between version i and ancestor j is fitted as a publication fits it: on the images that version i
was trained on, embedded by both, and on a sample of the gallery where the benchmark has one; a linear map of
entries rests on those of the versions between, too, whose images are gone. Nothing is trained again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from experiments.benchmarks.methods.calibration import Calibration, calibrate
from experiments.benchmarks.methods.training import Version
from holdfast.adapters import Adapter, AdapterConfig, AnyAdapterConfig, Meeting, carried
from holdfast.data import AugmentConfig, Task
from holdfast.learning import Datasets, Embedded
from holdfast.publishing import Sampled, embed_views, fit_adapter

Pair = tuple[int, int]
"""The query's version, and the older one of the entries."""


@dataclass(frozen=True)
class Variant:
    """One way of meeting.

    Attributes:
        adapter: the config of the map, which says too what it maps; None for none.
        both: halfway to the ancestor's own query (SLERP at 0.5), which needs its forward pass too.
        candidates: what the adapter recalls of older entries, whose images the newer version embeds and
            ranks by its own scores: a cascade; 0 for none.
    """

    name: str
    title: str
    adapter: Mapping[str, Any] | None = None
    both: bool = False
    candidates: int = 0

    @cached_property
    def config(self) -> AdapterConfig:
        config: AdapterConfig = TypeAdapter(AnyAdapterConfig).validate_python(dict(self.adapter or {}))
        return config


def _queries(kind: str) -> Mapping[str, Any]:
    return {"kind": kind, "maps": "queries"}


PLAIN = Variant("", "")
SHIPPED_ADAPTER = "adapter"
CASCADES = (10, 50)
VARIANTS: tuple[Variant, ...] = (
    Variant("rotation", "rotation (Procrustes)", _queries("rotation")),
    Variant("rotation+slerp", "rotation + SLERP (two forwards)", _queries("rotation"), both=True),
    Variant("linear", "linear, shrunk toward the rotation", _queries("linear")),
    Variant("low-rank-affine", "low-rank affine", _queries("low-rank-affine")),
    Variant(
        "entries-forward",
        "entries mapped forward, linear",
        {"kind": "linear", "maps": "entries"},
    ),
)


def shipped_variants(adapter: Mapping[str, Any]) -> tuple[Variant, ...]:
    """The default recipe's own adapter, alone and before a cascade."""
    cascades = (
        Variant(f"cascade-{count}", f"cascade of {count}", adapter, candidates=count) for count in CASCADES
    )
    return (Variant(SHIPPED_ADAPTER, "", adapter), *cascades)


@dataclass(frozen=True, eq=False)
class Fitted:
    """An adapter, and how the scores of queries that it maps compare with those of their own space."""

    adapter: Adapter
    scores: Calibration


@dataclass(frozen=True, eq=False)
class Comparable:
    """Queries (q, d) and entries (n, d) in one space, and what makes their cosines comparable with others."""

    queries: np.ndarray
    entries: np.ndarray
    scores: Calibration = field(default_factory=Calibration)


def fit_all(
    variants: Sequence[Variant],
    versions: Sequence[Version],
    tasks: Sequence[Task],
    data: Datasets,
    augment: AugmentConfig,
    seed: int,
) -> dict[str, dict[Pair, Fitted]]:
    """By the variant's name and the pair. What is embedded is held for one pair at a time."""
    found: dict[str, dict[Pair, Fitted]] = {variant.name: {} for variant in variants}
    entries = None
    if data.sample is not None:
        entries = [version.encoder.embed(data.sample.images) for version in versions]
    for (i, j), alike, newer, older in _seen(variants, versions, tasks, data, augment, seed):
        sample = None if entries is None else Sampled(entries[j], entries[i])
        labels = data.training.labels[tasks[i].train]
        known: dict[AdapterConfig, Fitted] = {}
        for variant in alike:
            if variant.config not in known:
                kept, step = (found[variant.name].get(pair) for pair in ((i - 1, j), (i, i - 1)))
                earlier = carried(kept.adapter, step.adapter) if kept and step else None
                adapter = fit_adapter(variant.config, newer, older, seed, i, i - j, earlier, sample)
                known[variant.config] = _calibrated(variant.config, adapter, newer, older, labels)
            fitted = known[variant.config]
            found[variant.name][i, j] = _halfway(fitted, newer, older, labels) if variant.both else fitted
    return found


def _calibrated(
    config: AdapterConfig, adapter: Adapter, newer: np.ndarray, older: np.ndarray, labels: np.ndarray
) -> Fitted:
    if config.maps == "entries":
        return Fitted(adapter, Calibration())
    own, there = newer[: len(labels)], older[: len(labels)]
    return Fitted(adapter, calibrate(adapter.apply(own), there, own, labels))


def _halfway(fitted: Fitted, newer: np.ndarray, older: np.ndarray, labels: np.ndarray) -> Fitted:
    """The same map, with scores calibrated for queries that go only half of its way."""
    own, there = newer[: len(labels)], older[: len(labels)]
    return Fitted(fitted.adapter, calibrate(halfway(there, fitted.adapter.apply(own)), there, own, labels))


def _seen(
    variants: Sequence[Variant],
    versions: Sequence[Version],
    tasks: Sequence[Task],
    data: Datasets,
    augment: AugmentConfig,
    seed: int,
) -> Iterator[tuple[Pair, list[Variant], np.ndarray, np.ndarray]]:
    """What variants with as many views are fitted on, for every pair: as the newer and the older embed it."""
    for i, views in product(range(1, len(versions)), sorted({one.config.views for one in variants})):
        alike = [variant for variant in variants if variant.config.views == views]

        def embed(version: Version, task: int = i, views: int = views) -> np.ndarray:
            indices = tasks[task].train
            return embed_views(version.encoder, data.training.images, indices, views, augment, seed, task)

        newer = embed(versions[i])
        for j in reversed(range(i)):  # the parent first: what its own maps rest on comes through it
            yield (i, j), alike, newer, embed(versions[j])


def meet(variant: Variant, fitted: Fitted | None, query: Embedded, entry: Embedded) -> Comparable:
    """The queries of a version and the entries of an older one; as they are without an adapter."""
    if fitted is None:
        return Comparable(query.queries, entry.gallery)
    meeting = Meeting(fitted.adapter, variant.config.maps)
    queries, entries = meeting.together(query.queries, entry.gallery)
    return Comparable(halfway(entry.queries, queries) if variant.both else queries, entries, fitted.scores)


def halfway(old: np.ndarray, aligned: np.ndarray) -> np.ndarray:
    """The middle of the great circle from row to row, float32 (n, d); the old row where there is no shortest
    one. Ricci, Biondi and Pernici's SLERP with a share of 0.5, which does about as well as a fitted one."""
    middle = old.astype(np.float64) + aligned
    norms = np.linalg.norm(middle, axis=1, keepdims=True)
    return np.where(norms > 1e-6, middle / np.maximum(norms, 1e-6), old).astype(np.float32)
