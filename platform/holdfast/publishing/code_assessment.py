"""Measuring a lineage on compact codes: queries of every version over the codes of every version."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from holdfast.base import NotFoundError, load_yaml
from holdfast.data import Evaluation
from holdfast.evaluation import Outcome, score
from holdfast.models import CodeShape, OPQNConfig, decode
from holdfast.publishing.assessment import Assessment
from holdfast.publishing.outcomes import Outcomes, Pair
from holdfast.store import Store, Version


@dataclass(frozen=True, eq=False)
class Coded:
    """What a version with codes makes of the evaluation data.

    Attributes:
        queries: float32 (q, d), as `Quantizer.ask` makes them.
        codes: uint8 (n, bytes), of the gallery.
    """

    queries: np.ndarray
    codes: np.ndarray


class CodeAssessment:
    """What `assessment` measures, on codes. They are met as they are, without adapters: they stay in the
    gallery as they were written. Such queries and codes are kept by each version's contract."""

    def __init__(self, store: Store, assessment: Assessment, evaluation: Evaluation, resamples: int) -> None:
        self._store, self._assessment, self._evaluation = store, assessment, evaluation
        self._outcomes = Outcomes(store, f"coded-outcomes-{assessment.fingerprint}", resamples)
        self._coded = lru_cache(maxsize=2)(self._code)

    def figures(self, versions: Sequence[Version]) -> dict[str, Any]:
        """Measure `versions` (oldest first); what a report says of them, under its names. {} if the newest
        has no codes; those without, or with others than the newest's, are left out."""
        shape = _shape(versions[-1])
        if shape is None:
            return {}
        coded = [version for version in versions if _shape(version) == shape]
        names = [version.name for version in coded]
        contracts = {version.name: version.contract for version in coded}

        def search(pair: Pair) -> Outcome:
            query, gallery, _ = pair
            entries, labels = decode(self._coded(gallery).codes, shape), self._evaluation
            return score(
                self._coded(query).queries, labels.queries.labels, entries, labels.gallery.labels
            ).outcome()

        for number, newer in enumerate(names):
            around = [pair for old in names[:number] for pair in ((newer, old, None), (old, newer, None))]
            self._outcomes.measure(newer, [(newer, newer, None), *around], contracts, search)
        pairs = [[(query, gallery, None) for gallery in names] for query in names]
        figures = self._outcomes.figures(names, pairs, lambda newer, older: older)
        return {"versions": names, "bits": shape.bits, "bytes": shape.bytes, **figures}

    def _code(self, version: str) -> Coded:
        name = f"coded-{self._assessment.fingerprint}"
        try:
            return Coded(**self._store.tensors.load(version, name))
        except NotFoundError:
            quantizer = self._store.versions.load(version).quantizer
        assert quantizer is not None
        embedded = self._assessment.embedded(version)
        coded = Coded(quantizer.ask(embedded.queries), quantizer.encode(embedded.gallery))
        self._store.tensors.save(version, name, vars(coded))
        return coded


def _shape(version: Version) -> CodeShape | None:
    """Of the codes that a version learned to have; read from its experiment, so that no model is loaded. One
    that was adopted learned none."""
    model = load_yaml(version.experiment).get("model")
    if model is None or model["head"]["kind"] != "opqn":
        return None
    return OPQNConfig.model_validate(model["head"]).shape(version.dimension)
