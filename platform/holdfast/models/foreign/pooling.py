"""From what a network answers to one vector an image."""

from typing import Literal

import numpy as np

from holdfast.base import ConfigError


def pooled(answer: np.ndarray, layout: Literal["NCHW", "NHWC"]) -> np.ndarray:
    """Embeddings (b, d) as they are, feature maps (b, d, h, w) or (b, h, w, d) as their means.

    Raises ConfigError for any other rank.
    """
    if answer.ndim == 2:
        return answer
    if answer.ndim == 4:
        return answer.mean(axis=(2, 3) if layout == "NCHW" else (1, 2))
    raise ConfigError(
        f"The model answers with shape {answer.shape}: embeddings are (images, dimension), feature maps of "
        "rank 4; name another of its outputs."
    )
