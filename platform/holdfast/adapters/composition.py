"""Chains of adapters: v3 -> v2 -> v1."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from holdfast.adapters.adapter import Adapter
from holdfast.adapters.linear import LinearAdapter
from holdfast.base import InvalidVectorError


@dataclass(frozen=True, eq=False)
class ComposedAdapter:
    """One adapter after the other, each from unit vectors to unit vectors; at least two."""

    kind: ClassVar[str] = "composed"

    parts: tuple[Adapter, ...]

    @property
    def source_dimension(self) -> int:
        return self.parts[0].source_dimension

    @property
    def target_dimension(self) -> int:
        return self.parts[-1].target_dimension

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        for part in self.parts:
            vectors = part.apply(vectors)
        return vectors

    def tensors(self) -> dict[str, np.ndarray]:
        """The parts' tensors, named `position.kind.name`."""
        return {
            f"{position}.{part.kind}.{name}": tensor
            for position, part in enumerate(self.parts)
            for name, tensor in part.tensors().items()
        }


def compose(first: Adapter, second: Adapter) -> Adapter:
    """The adapter that maps by `first` and what comes of it by `second`.

    Two linear maps become one, unless the second has a bias: without it, the length that normalizing between
    them takes away changes no direction. Raises InvalidVectorError if the dimensions do not meet.
    """
    if first.target_dimension != second.source_dimension:
        raise InvalidVectorError(
            f"An adapter to {first.target_dimension} dimensions cannot be followed by one from "
            f"{second.source_dimension}."
        )
    parts = [*_parts(first), *_parts(second)]
    merged: list[Adapter] = parts[:1]
    for part in parts[1:]:
        last = merged[-1]
        if isinstance(last, LinearAdapter) and isinstance(part, LinearAdapter) and part.bias is None:
            merged[-1] = _product(last, part.matrix)
        else:
            merged.append(part)
    return merged[0] if len(merged) == 1 else ComposedAdapter(tuple(merged))


def _parts(adapter: Adapter) -> tuple[Adapter, ...]:
    return adapter.parts if isinstance(adapter, ComposedAdapter) else (adapter,)


def _product(first: LinearAdapter, matrix: np.ndarray) -> LinearAdapter:
    second = matrix.astype(np.float64)
    return LinearAdapter.of(
        first.matrix.astype(np.float64) @ second,
        None if first.bias is None else first.bias.astype(np.float64) @ second,
    )


def split_tensors(tensors: Mapping[str, np.ndarray]) -> list[tuple[str, dict[str, np.ndarray]]]:
    """Kind and tensors of every part, in order, of what `ComposedAdapter.tensors` named.

    Raises ValueError for other names.
    """
    parts: dict[int, tuple[str, dict[str, np.ndarray]]] = {}
    for full_name, tensor in tensors.items():
        position, kind, name = full_name.split(".")
        known_kind, part = parts.setdefault(int(position), (kind, {}))
        if known_kind != kind:
            raise ValueError(f"part {position} is both {known_kind} and {kind}")
        part[name] = tensor
    if len(parts) < 2 or sorted(parts) != list(range(len(parts))):
        raise ValueError(f"parts {sorted(parts)}")
    return [parts[position] for position in range(len(parts))]
