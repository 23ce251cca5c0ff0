"""One loaded version: decodes images as its contract says, and embeds them in batches."""

import base64
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

import numpy as np

from holdfast.models import Encoder
from holdfast_serving.config import BatchingConfig
from holdfast_serving.replica.batching import Batcher
from holdfast_serving.replica.images import decode_images
from holdfast_serving.threads import run_in


class Embedder:
    """A version's encoder behind its own queue. The model runs in a thread, never on the event loop."""

    def __init__(
        self,
        version: str,
        encoder: Encoder,
        batching: BatchingConfig,
        max_pixels: int,
        decoders: Executor,
        observe: Callable[[int, float], None] | None = None,
    ) -> None:
        self.version = version
        self.dimension = encoder.dimension
        self._preprocessing = encoder.preprocessing
        self._max_pixels = max_pixels
        self._decoders = decoders
        self._encode = encoder.embed
        self._batcher: Batcher = Batcher(
            encoder.embed, version, batching.images, batching.wait_seconds, observe
        )

    async def embed(self, images: Sequence[str], names: Sequence[str]) -> np.ndarray:
        """Images as requests carry them -> float32 (n, dimension), unit norm.

        `names` say in an InvalidImageError which image is meant.
        """
        pixels = await run_in(
            self._decoders, decode_images, images, names, self._preprocessing, self._max_pixels
        )
        return await self._batcher.run(pixels)

    async def warm(self) -> None:
        """One pass over a blank image, so that the first request does not pay for the model's first pass."""
        preprocessing = self._preprocessing
        blank = np.zeros((1, preprocessing.channels, preprocessing.size, preprocessing.size), np.uint8)
        await run_in(self._decoders, self._encode, blank)


def to_base64(vector: np.ndarray) -> str:
    """Little-endian float32, as the openai client decodes it."""
    return base64.b64encode(vector.astype("<f4", copy=False).tobytes()).decode("ascii")
