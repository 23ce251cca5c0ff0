"""How a query of one version meets the entries of another: directly, or by an adapter fitted afterwards.

An adapter from version i to ancestor j is fitted on the images that version i was trained on, embedded by
both. No other image is used, and no label. All of it is computed from the encoders of a cell; nothing is
trained again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from holdfast.adapters import Adapter, AdapterConfig, Pairs, fit_from_pairs, slerp
from holdfast.learning import Embedded

Meeting = tuple[np.ndarray, np.ndarray]
"""Queries (q, d) and entries (n, d), in one space."""


@dataclass(frozen=True)
class Variant:
    """One way of meeting.

    Attributes:
        adapter: the config of the map; None for none.
        forward: entries are mapped into the query's space, instead of queries into the entries'.
        both: SLERP at 0.5 with the ancestor's own query, which needs its forward pass too.
    """

    name: str
    title: str
    adapter: Mapping[str, Any] | None = None
    forward: bool = False
    both: bool = False

    @property
    def forwards(self) -> int:
        """Forward passes of a query for a gallery of one version."""
        return 2 if self.both else 1


PLAIN = Variant("", "")
VARIANTS: tuple[Variant, ...] = (
    Variant("rotation", "rotation (Procrustes)", {"kind": "rotation"}),
    Variant("rotation+slerp", "rotation + SLERP (two forwards)", {"kind": "rotation"}, both=True),
    Variant("linear", "linear, shrunk toward the rotation", {"kind": "linear"}),
    Variant("low-rank-affine", "low-rank affine", {"kind": "low-rank-affine"}),
    Variant("residual-mlp", "residual MLP", {"kind": "residual-mlp"}),
    Variant("lambda-orthogonal", "lambda-orthogonal", {"kind": "lambda-orthogonal"}),
    Variant("entries-forward", "entries mapped forward, linear", {"kind": "linear"}, forward=True),
)


def fitted(variant: Variant, newer: np.ndarray, older: np.ndarray, seed: int) -> Adapter:
    """Fit on the new task's training images, as the newer and the older version embed them."""
    config = TypeAdapter(AdapterConfig).validate_python(dict(variant.adapter or {}))
    pairs = Pairs(older, newer) if variant.forward else Pairs(newer, older)
    return fit_from_pairs(config, pairs, seed)


def meet(variant: Variant, adapter: Adapter | None, query: Embedded, entry: Embedded) -> Meeting:
    """The queries of a version and the entries of an older one.

    Without an adapter, and of different widths, the first dimensions of the wider side count.
    """
    if adapter is None:
        return same_width(query.queries, entry.gallery)
    if variant.forward:
        return query.queries, adapter.apply(entry.gallery)
    mapped = adapter.apply(query.queries)
    return (slerp(entry.queries, mapped) if variant.both else mapped), entry.gallery


def same_width(queries: np.ndarray, entries: np.ndarray) -> Meeting:
    """Cut the wider side to the first dimensions of the other, of unit norm."""
    width = min(queries.shape[1], entries.shape[1])
    return _cut(queries, width), _cut(entries, width)


def _cut(vectors: np.ndarray, width: int) -> np.ndarray:
    if vectors.shape[1] == width:
        return vectors
    kept = vectors[:, :width]
    norms = np.linalg.norm(kept, axis=1, keepdims=True)
    return np.ascontiguousarray(kept / np.maximum(norms, 1e-12), dtype=np.float32)
