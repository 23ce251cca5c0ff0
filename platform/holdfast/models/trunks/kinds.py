"""Which network an experiment may name: a built-in one by a word, or one of another package."""

from collections.abc import Mapping
from typing import Annotated, Any, cast

import torch
from pydantic import PlainValidator, SerializeAsAny

from holdfast.base import ConfigError, Listed, outside_part
from holdfast.models.normalization import synchronize
from holdfast.models.trunks.config import TrunkConfig
from holdfast.models.trunks.continued import ContinuedTrunk
from holdfast.models.trunks.own import OWN, OwnTrunk, build_own
from holdfast.models.trunks.timm import TimmTrunk
from holdfast.models.trunks.transformers import TransformersTrunk
from holdfast.models.trunks.trunk import Trunk
from holdfast.models.trunks.version import VersionTrunkConfig

_KINDS: Mapping[str, tuple[type[TrunkConfig], str]] = {
    "transformers": (TransformersTrunk, "weights"),
    "timm": (TimmTrunk, "name"),
    "version": (ContinuedTrunk, "name"),
}
"""The kind -> its config, and what follows the colon where a word is enough."""
ALLOWED = f"{', '.join(map(repr, OWN))}, 'transformers:FOLDER' or 'timm:NAME'"


def read_trunk(given: Any) -> str | TrunkConfig:
    """The trunk that a word or a mapping names. Raises ValueError, or pydantic's errors for what stands
    beside the `kind`."""
    if isinstance(given, TrunkConfig) or given in OWN:
        return cast("str | TrunkConfig", given)
    if isinstance(given, str) and ":" in given:
        kind, _, rest = given.partition(":")
        config, key = _KINDS.get(kind, (None, ""))
        given = {"kind": given} if config is None or not rest else {"kind": kind, key: rest}
    if isinstance(given, Mapping):
        config = _config_of(given)
        return outside_part(TrunkConfig, given) if config is None else config.model_validate(given)
    raise ValueError(f"{given!r} is not a trunk; allowed are {ALLOWED}, or 'package.module:Class'")


def _config_of(given: Mapping[str, Any]) -> type[TrunkConfig] | None:
    """The class of the config that a mapping is; None for one of another package."""
    kind = given.get("kind")
    if kind in OWN:
        return OwnTrunk
    if kind == "version" and given.get("train") == "none":
        return VersionTrunkConfig
    return _KINDS.get(str(kind), (None, ""))[0]


AnyTrunk = Annotated[
    str | TrunkConfig,
    PlainValidator(read_trunk, json_schema_input_type=str),
    SerializeAsAny(),
    Listed(TransformersTrunk, TimmTrunk, ContinuedTrunk, VersionTrunkConfig),
]
"""A built-in network, one with weights, or `package.module:Class` of another package: by a word alone, or by
a mapping of its `kind` and its settings."""


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
    return trunk if isinstance(trunk, str) else trunk.described()


def is_pretrained(trunk: str | TrunkConfig) -> bool:
    """Whether a network knows images before anything is learned here."""
    return isinstance(trunk, TrunkConfig) and trunk.pretrained


def published_trunk(trunk: str | TrunkConfig, built: Trunk) -> str | TrunkConfig:
    """What describes a network that was built, once it has weights of its own."""
    return trunk if isinstance(trunk, str) else trunk.published(built)


def begin_trunk(trunk: str | TrunkConfig, built: Trunk) -> None:
    """Make a network ready to learn, in place, as its config says. Raises ConfigError."""
    if isinstance(trunk, TrunkConfig):
        trunk.begin(built)
