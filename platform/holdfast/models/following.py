"""What an experiment leaves out of its model's preprocessing is its trunk's own."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from holdfast.base import ConfigError
from holdfast.models.preparation import Preprocessing
from holdfast.models.trunks import TrunkConfig, read_trunk

_WHOLE = frozenset({"size", "channels", "fit", "mean", "std"})
"""Keys of a preprocessing that leaves nothing out: each that was read is written out with them."""


def follow_trunk(values: Any) -> Any:
    """The values of a model's config, its preprocessing completed.

    Raises ValueError, for pydantic to explain, where the trunk's own cannot be read.
    """
    if not isinstance(values, Mapping):
        return values
    given = values.get("preprocessing") or {}
    if not isinstance(given, Mapping) or given.keys() >= _WHOLE:
        return values
    try:
        trunk = read_trunk(values.get("trunk"))
    except (ValueError, ValidationError):
        # Explained where the trunk itself is read.
        return values
    if not isinstance(trunk, TrunkConfig):
        return values
    try:
        own = trunk.own_preprocessing()
    except ConfigError as error:
        raise ValueError(str(error)) from error
    return values if own is None else {**values, "preprocessing": _completed(given, own)}


def _completed(given: Mapping[str, Any], own: Preprocessing) -> dict[str, Any]:
    values = {**own.model_dump(exclude_unset=True), **given}
    if own.resize is not None and "resize" not in given and isinstance(values["size"], int):
        # As much of the image is cut off as at the trunk's own size.
        values["resize"] = max(values["size"], round(own.resize * values["size"] / own.size))
    return values
