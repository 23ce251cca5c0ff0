"""A batch that goes through the trunk in parts, so that the memory of one part is enough.

The embedding's normalization, the head and the regularizers see the whole batch nonetheless, and a step comes
to the same up to rounding: the features are computed part by part without gradient, the losses over all of
them, and then the gradient of each part's features goes back through the trunk (gradient cache: Gao et al.
2021, arXiv 2101.06983). It costs one more forward pass.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from holdfast.base import ConfigError
from holdfast.models import Encoder


class Parts:
    """The parts of one step after the other. `run` calls a network in the precision of the training."""

    def __init__(self, encoder: Encoder, count: int, run: Callable[[nn.Module, Tensor], Tensor]) -> None:
        self._encoder, self._count, self._run = encoder, count, run
        self._pixels: tuple[Tensor, ...] = ()
        self._features = torch.empty(0)

    def encode(self, pixels: Tensor) -> Tensor:
        """The embeddings (b, d) of pixels (b, c, s, s)."""
        encoder = self._encoder
        self._pixels = encoder.preprocessing.normalize(pixels).chunk(self._count)
        with torch.no_grad():
            features = torch.cat([self._run(encoder.trunk, part) for part in self._pixels])
        self._features = features.float().requires_grad_()
        return encoder.embed_features(self._features)

    def backward(self) -> None:
        """Once the losses went back to the features: from there on to the weights of the trunk."""
        gradient, self._features.grad = self._features.grad, None
        if gradient is None or not any(each.requires_grad for each in self._encoder.trunk.parameters()):
            return
        for part, slopes in zip(self._pixels, gradient.chunk(self._count), strict=True):
            features = self._run(self._encoder.trunk, part)
            features.backward(slopes.to(features.dtype))


def require_no_batch_statistics(encoder: Encoder) -> None:
    """Raises ConfigError for a trunk whose features of an image depend on the others of its part."""
    normalizes = any(isinstance(each, nn.modules.batchnorm._BatchNorm) for each in encoder.trunk.modules())
    if normalizes and not encoder.trunk.as_it_embeds:
        raise ConfigError(
            "learning.accumulate: the trunk normalizes by the statistics of the batch, which a part of it "
            "does not have: leave it at 1, or freeze those of a pretrained trunk (statistics: frozen)."
        )
