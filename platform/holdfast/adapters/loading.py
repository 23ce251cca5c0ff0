"""Rebuilding an adapter from what was stored of it."""

from collections.abc import Mapping

import numpy as np

from holdfast.adapters.adapter import Adapter
from holdfast.adapters.kernel import KernelAdapter
from holdfast.adapters.linear import LinearAdapter
from holdfast.adapters.residual_mlp import ResidualMLPAdapter
from holdfast.base import ConfigError, StoreError, load_class

FORMS: dict[str, type[Adapter]] = {
    form.kind: form for form in (LinearAdapter, ResidualMLPAdapter, KernelAdapter)
}


def load_adapter(kind: str, tensors: Mapping[str, np.ndarray]) -> Adapter:
    """The adapter whose `kind` and `tensors()` these are. Raises StoreError if they do not make one."""
    if ":" in kind:
        try:
            return load_class(kind, Adapter).from_tensors(tensors)
        except ConfigError as error:
            raise StoreError(f"An adapter of another package cannot be loaded: {error}") from error
    if kind not in FORMS:
        raise StoreError(f"No adapter of kind {kind!r} can be loaded; known are {', '.join(FORMS)}.")
    return FORMS[kind].from_tensors(tensors)
