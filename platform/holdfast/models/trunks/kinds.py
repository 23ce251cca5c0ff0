"""Which network an experiment may name: a built-in one by a word, or one of another package."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import torch
from pydantic import PlainValidator, SerializeAsAny

from holdfast.base import ConfigError, outside_part
from holdfast.models.normalization import synchronize
from holdfast.models.trunks.config import TrunkConfig
from holdfast.models.trunks.own import ALLOWED, OWN, TIMM, build_own
from holdfast.models.trunks.trunk import Trunk


def _read(given: Any) -> str | TrunkConfig:
    if isinstance(given, TrunkConfig):
        return given
    if isinstance(given, str) and (given in OWN or (given.startswith(TIMM) and len(given) > len(TIMM))):
        return given
    if isinstance(given, str) and ":" in given and not given.startswith(TIMM):
        given = {"kind": given}
    if isinstance(given, Mapping):
        return outside_part(TrunkConfig, given)
    raise ValueError(f"{given!r} is not a trunk; allowed are {ALLOWED}, or 'package.module:Class'")


AnyTrunk = Annotated[str | TrunkConfig, PlainValidator(_read, json_schema_input_type=str), SerializeAsAny()]
"""A built-in network, or `package.module:Class` of another package: that alone, or the `kind` of a mapping
with the settings of the class."""


def build_trunk(trunk: str | TrunkConfig, channels: int, size: int, width: float) -> Trunk:
    """Make a freshly initialized network for (channels, size, size) images.

    Raises ConfigError where it cannot be made, or does not give its `features`.
    """
    if isinstance(trunk, str):
        return build_own(trunk, channels, size, width)
    if width != 1.0:
        raise ConfigError(f"model.width is {width}; with the trunk {trunk.kind} it can only be 1.0.")
    made = trunk.build(channels, size).eval()
    with torch.no_grad():
        given = tuple(made(torch.zeros(2, channels, size, size)).shape)
    if given != (2, made.features):
        raise ConfigError(
            f"model.trunk: {trunk.kind} gives {given} for 2 images of {channels} x {size} x {size}; it "
            f"says that its features are (2, {made.features})."
        )
    return synchronize(made.train())


def describe_trunk(trunk: str | TrunkConfig) -> str:
    """All that is known of a network but its weights: its word, or its settings as JSON with sorted keys."""
    return trunk if isinstance(trunk, str) else json.dumps(trunk.model_dump(mode="json"), sort_keys=True)


def is_pretrained(trunk: str | TrunkConfig) -> bool:
    """Whether a network knows images before anything is learned here."""
    return isinstance(trunk, TrunkConfig) and trunk.pretrained
