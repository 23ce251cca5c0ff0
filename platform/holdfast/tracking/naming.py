"""Names and values as trackers take them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

_OTHER = re.compile(r"[^\w\-./ ]")


def flat(values: Any, above: str = "") -> dict[str, str | int | float | bool]:
    """Nested keys as dotted ones. An item of a list goes by its `kind`, if it has one, else by its number;
    what is nothing is left out."""
    if isinstance(values, Mapping):
        items = [(str(key), value) for key, value in values.items()]
    elif isinstance(values, Sequence) and not isinstance(values, str):
        kinds = [value.get("kind") if isinstance(value, Mapping) else None for value in values]
        named = [kind if kind is not None and kinds.count(kind) == 1 else at for at, kind in enumerate(kinds)]
        items = [(str(name), value) for name, value in zip(named, values, strict=True)]
    elif values is None:
        return {}
    else:
        return {above: values if isinstance(values, str | int | float | bool) else str(values)}
    found: dict[str, str | int | float | bool] = {}
    for key, value in items:
        found |= flat(value, f"{above}.{key}" if above else key)
    return found


def plain(name: str) -> str:
    """A name of letters, digits and `_-./` alone, as MLflow and TensorBoard want it."""
    return _OTHER.sub("_", name)


def values_of(values: Mapping[str, Any]) -> dict[str, str | int | float | bool]:
    """The values of a trial, where a choice may be of whole parts."""
    return {
        key: value if isinstance(value, str | int | float | bool) else str(value)
        for key, value in values.items()
    }
