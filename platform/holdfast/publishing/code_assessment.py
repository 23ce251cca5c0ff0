"""Measuring a lineage on compact codes: queries of every version over the codes of every version."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.base import NotFoundError, load_yaml
from holdfast.data import Evaluation
from holdfast.evaluation import (
    Outcome,
    average_compatibility,
    average_multimodel_accuracy,
    bootstrap,
    compare_pair,
    score,
)
from holdfast.models import CodeShape, OPQNConfig, decode
from holdfast.publishing.assessment import METRICS, Assessment
from holdfast.store import Store, Version

Pair = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Coded:
    """What a version with codes makes of the evaluation data.

    Attributes:
        queries: float32 (q, d), as `Quantizer.ask` makes them.
        codes: uint8 (n, bytes), of the gallery.
    """

    queries: np.ndarray
    codes: np.ndarray


def assess_codes(
    store: Store, assessment: Assessment, evaluation: Evaluation, versions: Sequence[str], resamples: int
) -> dict[str, Any]:
    """The figures of `versions` (oldest first) on codes, under a report's names; {} if the newest has none.

    Those without codes, or with others than the newest's, are left out. Codes are met as they are, without
    adapters: they stay in the gallery as they were written. Such queries and codes are kept by each
    version's contract, and outcomes by that of the newer one of each pair, as caches.
    """
    shape = _shape(store.version(versions[-1]))
    if shape is None:
        return {}
    shapes = {version: _shape(store.version(version)) for version in versions}
    names = [version for version in versions if shapes[version] == shape]
    coded = {version: _coded(store, assessment, version) for version in names}
    outcomes: dict[Pair, Outcome] = {}
    for number, newer in enumerate(names):
        around = [pair for old in names[:number] for pair in ((newer, old), (old, newer))]
        pairs = [(newer, newer), *around]
        outcomes |= _outcomes(
            store, f"coded-outcomes-{assessment.fingerprint}", pairs, coded, shape, evaluation
        )
    return {
        "versions": names,
        "bits": shape.bits,
        "bytes": shape.bytes,
        **_figures(names, outcomes, resamples),
    }


def _shape(version: Version) -> CodeShape | None:
    """Of the codes that a version learned to have; read from its experiment, so that no model is loaded."""
    model = load_yaml(version.experiment)["model"]
    if model["head"]["kind"] != "opqn":
        return None
    return OPQNConfig.model_validate(model["head"]).shape(version.dimension)


def _coded(store: Store, assessment: Assessment, version: str) -> Coded:
    name = f"coded-{assessment.fingerprint}"
    try:
        return Coded(**store.load_tensors(version, name))
    except NotFoundError:
        quantizer = store.load(version).quantizer
    assert quantizer is not None
    embedded = assessment.embedded(version)
    coded = Coded(quantizer.ask(embedded.queries), quantizer.encode(embedded.gallery))
    store.save_tensors(version, name, vars(coded))
    return coded


def _outcomes(
    store: Store,
    name: str,
    pairs: list[Pair],
    coded: dict[str, Coded],
    shape: CodeShape,
    evaluation: Evaluation,
) -> dict[Pair, Outcome]:
    """Score pairs of one newer version, the first's, from the cache beside it where it holds them."""
    owner = pairs[0][0]
    contracts = {each.name: each.contract for each in store.versions()}
    try:
        cached = store.load_tensors(owner, name)
    except NotFoundError:
        cached = {}
    found, fresh = {}, False
    for query, gallery in pairs:
        key = f"{contracts[query]}>{contracts[gallery]}"
        if f"{key}.hits" not in cached:
            entries = decode(coded[gallery].codes, shape)
            labels = evaluation.queries.labels, evaluation.gallery.labels
            outcome = score(coded[query].queries, labels[0], entries, labels[1]).outcome()
            cached[f"{key}.hits"] = outcome.hits
            cached[f"{key}.means"] = np.array([outcome.means[metric] for metric in METRICS])
            fresh = True
        means = dict(zip(METRICS, cached[f"{key}.means"].tolist(), strict=True))
        found[query, gallery] = Outcome(cached[f"{key}.hits"], means)
    if fresh:
        store.save_tensors(owner, name, cached)
    return found


def _figures(names: list[str], outcomes: dict[Pair, Outcome], resamples: int) -> dict[str, Any]:
    def matrix(metric: str) -> list[list[float]]:
        return [[outcomes[query, gallery].means[metric] for gallery in names] for query in names]

    def interval(pair: Pair) -> list[float]:
        around = bootstrap(outcomes[pair].hits, resamples)
        return [100 * around.low, 100 * around.high]

    def comparison(i: int, j: int) -> dict[str, Any] | None:
        if i == j:
            return None
        older = names[min(i, j)]
        return compare_pair(outcomes[names[i], names[j]], outcomes[older, older], resamples).as_dict()

    places, recall = range(len(names)), matrix("recall_at_1")
    return {
        **{metric: matrix(metric) for metric in METRICS},
        "intervals": [[interval((query, gallery)) for gallery in names] for query in names],
        "compatible": [[comparison(i, j) for j in places] for i in places],
        "ac": average_compatibility(recall),
        "am": average_multimodel_accuracy(recall),
    }
