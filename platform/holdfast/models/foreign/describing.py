"""Trying a model on the probes, and describing its files if it is sound."""

from pathlib import Path

import numpy as np

from holdfast.base import ConfigError
from holdfast.models.foreign.description import ForeignContract, write_description
from holdfast.models.foreign.network import FileConfig, Network, of_unit_norm
from holdfast.models.probes import PROBE_TEXTS, probe_files

TOLERANCE = 1e-3
"""By how much a number of an embedding may differ between an image by itself and among others."""


def describe_files(folder: Path, config: FileConfig, named: str) -> ForeignContract:
    """Write the description of files that lie in `folder`, of the dimension that they turn out to have.

    Raises ConfigError for answers that are no embeddings: of other ranks, of dimensions that are not fixed,
    not finite, zero, or different for one image alone and among others.
    """
    network = config.start(folder)
    pixels = np.stack([config.preprocessing.pixels(file) for file in probe_files()])
    together = _try(network, pixels, named)
    alone = _try(network, pixels[-1:], named)
    if alone.shape[1] != together.shape[1]:
        raise ConfigError(
            f"{named} makes {together.shape[1]} numbers of an image among eight, and {alone.shape[1]} of one "
            "alone: an embedding has one dimension, whatever the batch."
        )
    _require_vectors(together, named, "images")
    apart = float(np.abs(of_unit_norm(together)[-1:] - of_unit_norm(alone)).max())
    if apart > TOLERANCE:
        raise ConfigError(
            f"{named} embeds an image by itself otherwise than among others (by {apart:.2g}): export it in "
            "evaluation mode."
        )
    dimension = together.shape[1]
    if config.takes_text:
        texts = network.embed_texts(PROBE_TEXTS)
        _require_vectors(texts, named, "texts")
        if texts.shape[1] != dimension:
            raise ConfigError(
                f"{named} embeds images as {dimension} numbers and text as {texts.shape[1]}: the two towers "
                "have to meet in one space."
            )
    return write_description(folder, config, dimension)


def _try(network: Network, pixels: np.ndarray, named: str) -> np.ndarray:
    try:
        answer = network.embed_images(pixels)
    except ConfigError:
        raise
    except Exception as error:
        # Whatever a stranger's network stumbles over, it is not fit to be adopted as it is.
        said = " ".join(str(error).split())[:300].rstrip(".")
        raise ConfigError(f"{named} cannot embed images of shape {pixels.shape}: {said}.") from error
    if len(answer) != len(pixels):
        raise ConfigError(f"{named} answers {len(pixels)} images with {len(answer)} vectors.")
    if answer.shape[1] < 2:
        raise ConfigError(f"{named} answers with {answer.shape[1]} number an image, which ranks nothing.")
    return answer


def _require_vectors(vectors: np.ndarray, named: str, of: str) -> None:
    infinite = int((~np.isfinite(vectors).all(axis=1)).sum())
    if infinite:
        raise ConfigError(f"{named} makes NaN or infinity of {infinite} of {len(vectors)} probe {of}.")
    zero = int((np.abs(vectors).max(axis=1) == 0).sum())
    if zero:
        raise ConfigError(f"{named} makes zero vectors of {zero} of {len(vectors)} probe {of}.")
