"""What a stranger's network makes of images, found out by running it."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from holdfast.base import ConfigError


def features_of(network: nn.Module, channels: int, size: int, named: str, known: bool) -> int:
    """How many features it gives an image of (channels, size, size). `known`: it has its weights already.

    Raises ConfigError where it cannot take such images, or nothing finite is left of them.
    """
    try:
        with torch.no_grad():
            answer = network.eval()(torch.full((2, channels, size, size), 0.5))
    except Exception as error:
        # Strangers' networks stumble over images of another size in any way they like.
        said = " ".join(str(error).split())[:200].rstrip(".")
        raise ConfigError(
            f"{named} cannot take images of {channels} x {size} x {size}: {said}. Choose another "
            "model.preprocessing.size."
        ) from error
    if answer.ndim != 2 or (known and not answer.isfinite().all()):
        raise ConfigError(
            f"{named} makes nothing of images of {channels} x {size} x {size} (features of shape "
            f"{tuple(answer.shape)}, finite: {bool(answer.isfinite().all())}): choose a larger "
            "model.preprocessing.size."
        )
    return int(answer.shape[1])


def require_patches(size: int, patch: object, named: str) -> None:
    """Raises ConfigError for images that patches do not fill."""
    if isinstance(patch, int) and size % patch:
        near = [each for each in (size - size % patch, size - size % patch + patch) if each >= patch]
        raise ConfigError(
            f"{named} divides images into patches of {patch} pixels, and model.preprocessing.size is {size}: "
            f"choose a multiple, such as {' or '.join(map(str, near))}."
        )


def load_weights(network: nn.Module, file: str | Path, named: str) -> None:
    """Give a network the weights of a file of safetensors. Raises ConfigError for any that do not fit."""
    path = Path(file)
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"{named}: {path} is no file of safetensors that can be read: {error}.") from error
    own = network.state_dict()
    for name, tensor in own.items():
        given = weights.get(name)
        if given is None or given.shape != tensor.shape:
            found = "lacking" if given is None else f"of shape {tuple(given.shape)}"
            raise ConfigError(
                f"{named}: the weights in {path} are of another network: {name}, of shape "
                f"{tuple(tensor.shape)}, is {found}."
            )
    if more := weights.keys() - own.keys():
        raise ConfigError(f"{named}: the weights in {path} are of another network: it has no {min(more)}.")
    network.load_state_dict(weights)
