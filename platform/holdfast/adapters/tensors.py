"""Reading back the arrays of a stored adapter."""

from collections.abc import Mapping

import numpy as np

from holdfast.base import StoreError


def take(
    kind: str, tensors: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[str, ...]]
) -> dict[str, np.ndarray]:
    """The arrays that `shapes` names, and no others; an axis of the same name has the same size everywhere.

    Raises StoreError naming the array that is missing, superfluous, of another type or shape, or not finite.
    """
    if set(tensors) != set(shapes):
        raise StoreError(
            f"An adapter of kind {kind!r} is made of {', '.join(sorted(shapes))}, "
            f"not of {', '.join(sorted(tensors)) or 'nothing'}."
        )
    sizes: dict[str, int] = {}
    for name, axes in shapes.items():
        array = tensors[name]
        if array.dtype != np.float32 or array.ndim != len(axes) or 0 in array.shape:
            raise StoreError(
                f"The {name} of an adapter of kind {kind!r} must be float32 ({', '.join(axes)}), "
                f"not {array.dtype} {array.shape}."
            )
        for axis, size in zip(axes, array.shape, strict=True):
            if sizes.setdefault(axis, size) != size:
                raise StoreError(
                    f"The {name} of an adapter of kind {kind!r} has {size} for its {axis}, "
                    f"where others have {sizes[axis]}."
                )
        if not np.isfinite(array).all():
            raise StoreError(f"The {name} of an adapter of kind {kind!r} holds NaN or infinity.")
    return {name: np.ascontiguousarray(tensors[name]) for name in shapes}
