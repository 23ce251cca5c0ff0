"""What was measured between two versions becomes what the store knows of them, both ways at once."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from holdfast.evaluation import ADAPTER, RE_EMBED, Figure, Labels
from holdfast.publishing.bridging.choosing import Chosen
from holdfast.publishing.bridging.measuring import Measured
from holdfast.publishing.calibrating import Sides, fit_shift, search_halves
from holdfast.store import Compatibility, MeasuredCalibration, RegisteredAdapter, Store, Version

SAMPLED = "sample"
"""Key of an adapter's config: it was fitted on a sample, of which the next one is not independent."""


@dataclass(frozen=True, eq=False)
class Direction:
    """Queries of one version over entries of another: the map, the figures by each kind of truth, and whether
    a cascade can go this way.

    Attributes:
        asking, holding: float32 (n, d), what the two make of the measured entries.
    """

    query: Version
    gallery: Version
    asking: np.ndarray
    holding: np.ndarray
    chosen: Chosen
    figures: Sequence[tuple[str, Sequence[Figure]]]
    cascades: bool


def evaluation_of(measured: Measured, ids: Sequence[str], versions: Sequence[Version]) -> str:
    """Fingerprint of what the figures rest on."""
    digest = hashlib.sha256()
    for text in (*(version.contract for version in versions), measured.question.truth.kind, *ids):
        digest.update(f"{text}\0".encode())
    for vectors in (measured.question.sides.old_queries, measured.question.sides.new_queries):
        digest.update(np.ascontiguousarray(vectors, "<f4").tobytes())
    return digest.hexdigest()[:16]


def record(
    store: Store, directions: Sequence[Direction], measured: Measured, evaluation: str, seed: int
) -> list[Compatibility]:
    """Put the adapters in force, then record the calibrations and the compatibility of all ways."""
    in_force = {(row.query, row.gallery): row for row in store.adapters.list()}
    kept: list[RegisteredAdapter] = []
    shifts: list[MeasuredCalibration] = []
    rows: list[Compatibility] = []
    for way in directions:
        pair = (way.query.name, way.gallery.name)
        adapter = in_force.get(pair)
        if way.chosen.config is not None and way.chosen.adapter is not None:
            config = way.chosen.config
            described = {
                **config.model_dump(mode="json"),
                SAMPLED: {"pairs": len(way.chosen.apart), "seed": seed},
            }
            adapter = store.adapters.keep(*pair, way.chosen.adapter, described, maps=config.maps)
            kept.append(adapter)
        digest = None if adapter is None else adapter.digest
        shifts += _shift(way, measured, digest, seed)
        rows += _rows(way, evaluation, digest)
    store.adapters.put_in_force(kept)
    store.calibrations.record(shifts)
    store.compatibility.record(rows)
    return rows


def _rows(way: Direction, evaluation: str, digest: str | None) -> list[Compatibility]:
    rows = []
    for truth, figures in way.figures:
        for figure in figures:
            is_cascade = figure.way.kind == "cascade"
            anew = figure.way == RE_EMBED
            if figure.way not in (ADAPTER, RE_EMBED) and not (is_cascade and way.cascades):
                continue
            found = figure.comparison
            rows.append(
                Compatibility(
                    way.query.name,
                    way.query.name if anew else way.gallery.name,
                    found.value,
                    found.reference,
                    found.low,
                    found.high,
                    found.compatible,
                    evaluation,
                    adapter=None if anew else digest,
                    candidates=figure.way.candidates,
                    truth=truth,  # type: ignore[arg-type]  # the same words
                )
            )
    return rows


def _shift(way: Direction, measured: Measured, digest: str | None, seed: int) -> list[MeasuredCalibration]:
    """What the scores of the gallery's entries are shifted by among the query version's own: by labels, as
    nothing else tells a wrong entry."""
    truth = measured.question.truth
    if not isinstance(truth, Labels):
        return []
    meeting = way.chosen.meeting
    own = search_halves(Sides(way.asking, way.asking), truth.entries, seed)
    other = search_halves(Sides(*meeting.together(way.asking, way.holding)), truth.entries, seed)
    found = fit_shift(own, other)
    return [
        MeasuredCalibration(
            way.query.name,
            way.gallery.name,
            found.shift if found.helps else 0.0,
            digest,
            found.gain,
            found.low,
            found.high,
            {"fit": "shift", "images": len(way.asking), "by": "bridge"},
        )
    ]
