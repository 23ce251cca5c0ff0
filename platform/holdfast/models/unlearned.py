"""A trunk by itself, before anything is learned."""

import numpy as np
import torch
from torch.nn import functional as F

from holdfast.models.encoder import Encoder, ModelConfig
from holdfast.models.heads import CosFaceConfig


def embed_unlearned(
    config: ModelConfig, images: np.ndarray, device: torch.device = torch.device("cpu")
) -> np.ndarray:
    """The features of a model's trunk before anything is learned, as unit vectors: float32 (n, features).

    `images` are as the model reads them, uint8 (n, c, s, s), or the vectors of its base (n, features).
    torch's random stream stays where it is.
    """
    if config.base is not None:
        return F.normalize(torch.tensor(images, dtype=torch.float32)).numpy()
    return unlearned_encoder(config).to(device).embed(images)


def unlearned_encoder(config: ModelConfig) -> Encoder:
    """A model's trunk as an encoder of its own, in evaluation mode: it embeds an image as the features of its
    trunk, of unit norm. torch's random stream stays where it is."""
    with torch.random.fork_rng(devices=[]):
        features = Encoder(config).trunk.features
        alone = config.model_copy(update={"dimension": features, "head": CosFaceConfig()})
        encoder = Encoder(alone).eval()
    with torch.no_grad():
        torch.nn.init.eye_(encoder.linear.weight)
    return encoder
