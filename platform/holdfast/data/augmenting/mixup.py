"""Mixup: images that are two images, to be learned as both (Zhang et al. 2018, "mixup: beyond empirical risk
minimization")."""

import numpy as np
from torch import Tensor


def draw_mixup(alpha: float, seed: int) -> float:
    """The share lambda of an image in its mixture, 0.5 to 1, one for a whole batch: Beta(alpha, alpha) as in
    section 2 there, and of lambda and 1 - lambda the larger, so that a mixture is nearer to its own image
    (MixMatch, Berthelot et al. 2019, equation 9)."""
    share = float(np.random.default_rng(seed).beta(alpha, alpha))
    return max(share, 1 - share)


def mix_images(images: Tensor, others: Tensor, share: float) -> Tensor:
    """share * images + (1 - share) * others, float32 (b, C, H, W)."""
    return others.lerp(images, share)
