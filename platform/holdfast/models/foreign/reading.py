"""The preprocessing of a model that is adopted: what is said about it, and what its input fixes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from holdfast.base import ConfigError, parse_settings, read_values
from holdfast.models.foreign.processors import from_processor, is_processor
from holdfast.models.foreign.signature import ImageInput
from holdfast.models.foreign.timm_config import from_timm, is_timm
from holdfast.models.preparation import Preprocessing

_INSIDE = ("mean", "std", "scale", "view")
"""What a network that takes bytes does by itself."""
_RAW: Mapping[str, Any] = {"mean": 0.0, "std": 1.0, "scale": "0..255", "view": "plain"}


def own_description(metadata: Mapping[str, str]) -> Preprocessing | None:
    """The preprocessing that `holdfast export` wrote into a file's metadata, if it did."""
    try:
        return Preprocessing.model_validate(json.loads(metadata["contract"])["preprocessing"])
    except (KeyError, ValueError, TypeError, ValidationError):
        return None


def read_timm(config: Mapping[str, Any], named: str) -> Preprocessing:
    """The preprocessing that a network of timm states by itself. Raises ConfigError."""
    return parse_settings(Preprocessing, from_timm(config, named), named)


def read_preprocessing(
    file: Path | None, given: ImageInput, own: Preprocessing | None, named: str
) -> Preprocessing:
    """What `file` says; without one, what the model says itself.

    Raises ConfigError where neither says it, or the model's input contradicts it.
    """
    if file is None and own is None:
        raise ConfigError(
            f"How {named} wants its pixels decides its embeddings, and it does not say it: give "
            "--preprocessing FILE."
        )
    if file is None:
        assert own is not None
        values = own.model_dump(exclude=set(_INSIDE) if given.raw else set())
    else:
        values = _complete(read_file(file), given, str(file))
    if given.raw:
        values = {**values, **_RAW}
    read = parse_settings(Preprocessing, values, named if file is None else str(file))
    _require_fit(read, given, named)
    return read


def read_file(file: Path) -> dict[str, Any]:
    """What a file says, of whichever of the three forms it is, as values of a `Preprocessing`. Raises
    ConfigError."""
    values = _read_json(file) if file.suffix == ".json" else read_values(file)
    if is_processor(values):
        return from_processor(values, str(file))
    if is_timm(values):
        return from_timm(values, str(file))
    return values


def _read_json(file: Path) -> dict[str, Any]:
    # PyYAML takes numbers such as 1e-05, which JSON allows, for words.
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ConfigError(f"{file} is not valid JSON: {error}.") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{file} is no mapping of keys to values.")
    return values


def _complete(values: dict[str, Any], given: ImageInput, origin: str) -> dict[str, Any]:
    """With what the input fixes; what the file leaves open has to be fixed by that."""
    if given.channels is not None:
        values.setdefault("channels", given.channels)
    values.setdefault("channels", 3)
    if given.sides[0] is not None:
        values.setdefault("size", given.sides[0])
    if "size" not in values:
        raise ConfigError(f"{origin}: the model takes images of any size; say which is meant (size: 224).")
    if given.raw:
        heard = [name for name in _INSIDE if name in values]
        if heard:
            raise ConfigError(
                f"{origin}: {', '.join(heard)} cannot be honoured: the model takes uint8 pixels as they are."
            )
        return values
    if "scale" not in values and not {"mean", "std"} <= values.keys():
        raise ConfigError(
            f"{origin}: say how the pixels are normalized: mean and std, or scale (0..1, -1..1 or 0..255)."
        )
    return {"mean": 0.0, "std": 1.0, **values}


def _require_fit(preprocessing: Preprocessing, given: ImageInput, named: str) -> None:
    if given.channels not in (None, preprocessing.channels):
        raise ConfigError(
            f"{named} takes images of {given.channels} channels; the preprocessing makes "
            f"{preprocessing.channels}."
        )
    for side in given.sides:
        if side not in (None, preprocessing.size):
            height, width = given.sides
            raise ConfigError(
                f"{named} takes images of {height or '?'} x {width or '?'} pixels; the preprocessing makes "
                f"{preprocessing.size} x {preprocessing.size}."
            )
