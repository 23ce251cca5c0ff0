"""Rebuilding an adapter from what was stored of it."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from holdfast.adapters.adapter import Adapter
from holdfast.adapters.composition import ComposedAdapter, split_tensors
from holdfast.adapters.linear import LinearAdapter
from holdfast.adapters.residual_mlp import ResidualMLPAdapter
from holdfast.base import StoreError


def load_adapter(kind: str, tensors: Mapping[str, np.ndarray]) -> Adapter:
    """The adapter whose `kind` and `tensors()` these are. Raises StoreError if they do not make one."""
    if kind == LinearAdapter.kind:
        return LinearAdapter.from_tensors(tensors)
    if kind == ResidualMLPAdapter.kind:
        return ResidualMLPAdapter.from_tensors(tensors)
    if kind == ComposedAdapter.kind:
        return _load_composed(tensors)
    allowed = ", ".join(form.kind for form in (LinearAdapter, ResidualMLPAdapter, ComposedAdapter))
    raise StoreError(f"No adapter of kind {kind!r} can be loaded; known are {allowed}.")


def _load_composed(tensors: Mapping[str, np.ndarray]) -> ComposedAdapter:
    try:
        stored = split_tensors(tensors)
    except ValueError as error:
        raise StoreError(f"These are not the tensors of a composed adapter: {error}.") from error
    parts = tuple(load_adapter(kind, part) for kind, part in stored)
    for first, second in pairwise(parts):
        if first.target_dimension != second.source_dimension:
            raise StoreError(
                f"A composed adapter goes to {first.target_dimension} dimensions and on from "
                f"{second.source_dimension}."
            )
    return ComposedAdapter(parts)
