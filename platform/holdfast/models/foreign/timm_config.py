"""The preprocessing that a model of timm describes: its `config.json`, or a data config."""

import math
from collections.abc import Mapping
from typing import Any

from holdfast.base import ConfigError

_DEFAULTS: Mapping[str, Any] = {
    "interpolation": "bicubic",
    "mean": [0.485, 0.456, 0.406],
    "std": [0.229, 0.224, 0.225],
    "crop_pct": 0.875,
    "crop_mode": "center",
}
"""timm's own, for what a model leaves out."""
_FITS = {"center": "crop", "squash": "stretch"}


def is_timm(values: Mapping[str, Any]) -> bool:
    """Whether this is the content of such a file."""
    return "pretrained_cfg" in values or {"input_size", "interpolation"} <= values.keys()


def from_timm(values: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """The same as values of a `Preprocessing`. Raises ConfigError for what is not possible there."""
    said = {**_DEFAULTS, **values.get("pretrained_cfg", values)}
    channels, height, width = said.get("input_size", (None, None, None))
    if height is None or height != width:
        raise ConfigError(f"{origin}: input_size ({said.get('input_size')!r}) is no square.")
    if said["crop_mode"] not in _FITS:
        raise ConfigError(f"{origin}: crop_mode {said['crop_mode']!r} cannot be honoured.")
    if said["interpolation"] not in ("nearest", "bilinear", "bicubic", "lanczos"):
        raise ConfigError(f"{origin}: interpolation {said['interpolation']!r} cannot be honoured.")
    return {
        "size": height,
        "channels": channels,
        "fit": _FITS[said["crop_mode"]],
        "resize": math.floor(height / said["crop_pct"]),
        "centre": "round",
        "resampling": said["interpolation"],
        "scale": "0..1",
        "mean": list(said["mean"]),
        "std": list(said["std"]),
    }
