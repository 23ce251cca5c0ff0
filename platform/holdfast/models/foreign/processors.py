"""The preprocessing that a processor of transformers describes in its `preprocessor_config.json`.

Whatever the file says and cannot be honoured is refused by its name. What it leaves out is what the class
that it names would take: the defaults of transformers 5.
"""

from collections.abc import Mapping
from typing import Any

from holdfast.base import ConfigError
from holdfast.models.preparation import Resampling

_RESAMPLING: Mapping[Any, Resampling] = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}
"""By Pillow's numbers."""
_IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
_HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
_OPENAI = {
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
_SQUARE = {"do_center_crop": False, "size": {"height": 224, "width": 224}}
_CENTRE = {"do_center_crop": True, "size": {"shortest_edge": 224}, "crop_size": {"height": 224, "width": 224}}
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "Bit": {**_CENTRE, **_OPENAI, "resample": 3},
    "CLIP": {**_CENTRE, **_OPENAI, "resample": 3},
    "ConvNext": {**_SQUARE, **_HALF, "resample": 3, "size": {"shortest_edge": 384}, "crop_pct": 0.875},
    "DeiT": {**_CENTRE, **_HALF, "resample": 3, "size": {"height": 256, "width": 256}},
    "DINOv3ViT": {**_SQUARE, **_IMAGENET, "resample": 2},
    "EfficientNet": {
        **_SQUARE,
        **_HALF,
        "resample": 3,
        "size": {"height": 346, "width": 346},
        "rescale_offset": False,
        "include_top": True,
    },
    "Siglip": {**_SQUARE, **_HALF, "resample": 3},
    "ViT": {**_SQUARE, **_HALF, "resample": 2},
}
"""By the name of the class, without its ending, what it does unless its file says otherwise."""
_ENDINGS = ("ImageProcessorFast", "ImageProcessorPil", "ImageProcessor", "FeatureExtractor")
_STEPS = {"do_resize": True, "do_rescale": True, "do_normalize": True, "rescale_factor": 1 / 255}
_TYPES = ("image_processor_type", "feature_extractor_type")
_SAYS_NOTHING = {
    *_TYPES,
    "processor_class",
    "_valid_processor_keys",
    "data_format",
    "default_to_square",
    "device",
    "disable_grouping",
    "do_convert_rgb",
    "input_data_format",
    "return_tensors",
}
"""Keys that change no pixel here: images are always RGB, one at a time."""
_WARPED = 384
"""From this side on ConvNext resizes both sides and cuts nothing."""


def is_processor(values: Mapping[str, Any]) -> bool:
    """Whether this is the content of such a file, or of a newer `processor_config.json` with one inside."""
    return not {"image_processor", "do_resize", *_TYPES}.isdisjoint(values)


def from_processor(values: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """The same as values of a `Preprocessing`. Raises ConfigError for what is not possible there."""
    values = values.get("image_processor", values)
    defaults = _defaults(values, origin)
    said = {**defaults, **values}
    if isinstance(said["size"], int):
        # Of old files: both sides, or the shorter one where the class resizes that.
        square = said.get("default_to_square", "shortest_edge" not in defaults["size"])
        names = ("height", "width") if square else ("shortest_edge",)
        said["size"] = dict.fromkeys(names, said["size"])
    for key, value in said.items():
        if key not in _known(said) and value not in (None, False):
            raise ConfigError(f"{origin}: {key} ({value!r}) cannot be honoured.")
    if not said["do_resize"]:
        raise ConfigError(f"{origin}: do_resize is false, so images keep their own sizes; give them one.")
    if said["resample"] not in _RESAMPLING:
        raise ConfigError(
            f"{origin}: resample {said['resample']!r} is not one of {', '.join(map(str, _RESAMPLING))}."
        )
    return {
        "channels": 3,
        **_geometry(said, origin),
        "resampling": _RESAMPLING[said["resample"]],
        **_normalization(said, origin),
    }


def _defaults(values: Mapping[str, Any], origin: str) -> dict[str, Any]:
    named = next((values[key] for key in _TYPES if values.get(key)), None)
    family = str(named)
    for ending in _ENDINGS:
        family = family.removesuffix(ending)
    if family not in _DEFAULTS:
        known = ", ".join(f"{each}ImageProcessor" for each in _DEFAULTS)
        raise ConfigError(
            f"{origin}: what {named or 'a processor without image_processor_type'} does is not known here "
            f"({known} are): describe it in a YAML file of your own."
        )
    return {**_STEPS, **_DEFAULTS[family]}


def _known(said: Mapping[str, Any]) -> set[str]:
    known = _SAYS_NOTHING | set(_STEPS) | {"image_mean", "image_std", "resample", "size", "do_center_crop"}
    # Without its step a crop_size is left over, and says nothing.
    known.add("crop_size")
    return known | ({"crop_pct", "rescale_offset", "include_top"} & said.keys())


def _geometry(said: Mapping[str, Any], origin: str) -> dict[str, Any]:
    size: Mapping[str, Any] = said["size"]
    extent = {key: value for key, value in size.items() if value is not None}
    if "crop_pct" in said and extent.keys() == {"shortest_edge"} and not said["do_center_crop"]:
        side = extent["shortest_edge"]
        if side >= _WARPED:
            return {"size": side, "fit": "stretch"}
        return {"size": side, "fit": "crop", "resize": int(side / said["crop_pct"])}
    if extent.keys() == {"shortest_edge"} and said["do_center_crop"]:
        return {"size": _side(said, "crop_size", origin), "fit": "crop", "resize": extent["shortest_edge"]}
    if extent.keys() != {"height", "width"}:
        raise ConfigError(f"{origin}: size {size!r} makes images of different shapes: cut the centre out.")
    side = _side({"size": extent}, "size", origin)
    if not said["do_center_crop"]:
        return {"size": side, "fit": "stretch"}
    return {"size": _side(said, "crop_size", origin), "fit": "stretch", "resize": side}


def _side(said: Mapping[str, Any], key: str, origin: str) -> int:
    value = said.get(key)
    sides = {value} if isinstance(value, int) else {(value or {}).get("height"), (value or {}).get("width")}
    side = sides.pop()
    if sides or not isinstance(side, int):
        raise ConfigError(f"{origin}: {key} ({value!r}) is no square.")
    return side


def _normalization(said: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """A pixel p of 0..255 becomes (p * factor + offset - mean) / std; `include_top` divides by std again."""
    mean, std = _channels(said, "image_mean", origin), _channels(said, "image_std", origin)
    divisor = [1.0, 1.0, 1.0]
    if said["do_normalize"]:
        divisor = std
    else:
        mean = [0.0, 0.0, 0.0]
    if said.get("include_top"):
        divisor = [each * again for each, again in zip(divisor, std, strict=True)]
    factor = said["rescale_factor"] if said["do_rescale"] else 1.0
    offset = -1.0 if said.get("rescale_offset") and said["do_rescale"] else 0.0
    if _close(factor, 1 / 255) and not offset:
        scale = "0..1"
    elif _close(factor, 1 / 127.5) and offset:
        scale = "-1..1"
    else:
        scale = "0..255"
        mean = [(each - offset) / factor for each in mean]
        divisor = [each / factor for each in divisor]
    return {"scale": scale, "mean": mean, "std": divisor}


def _channels(said: Mapping[str, Any], key: str, origin: str) -> list[float]:
    value = said[key]
    values = [value] * 3 if isinstance(value, int | float) else list(value)
    if len(values) != 3 or not all(isinstance(each, int | float) for each in values):
        raise ConfigError(f"{origin}: {key} ({value!r}) is not one number for each of three channels.")
    return [float(each) for each in values]


def _close(one: float, other: float) -> bool:
    return abs(one - other) < 1e-9
