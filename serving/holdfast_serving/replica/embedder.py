"""One loaded version: decodes images as its contract says, and embeds them in batches."""

import base64
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

import numpy as np

from holdfast.models import MAX_PIXELS, Model
from holdfast_serving.config import BatchingConfig
from holdfast_serving.replica.batching import Batcher
from holdfast_serving.replica.images import decode_images
from holdfast_serving.threads import run_in


class Embedder:
    """A version's model behind its own queue. The model runs in a thread, never on the event loop."""

    def __init__(
        self,
        version: str,
        model: Model,
        batching: BatchingConfig,
        max_pixels: int,
        decoders: Executor,
        observe: Callable[[int, float], None] | None = None,
    ) -> None:
        self.version = version
        self.dimension = model.dimension
        self.takes = model.takes
        self._model = model
        self._max_pixels = max_pixels
        self._decoders = decoders
        self._batcher: Batcher = Batcher(
            model.embed, version, batching.images, batching.wait_seconds, observe
        )

    async def embed(self, images: Sequence[str], names: Sequence[str]) -> np.ndarray:
        """Images as requests carry them -> float32 (n, dimension), unit norm.

        `names` say in an InvalidImageError which image is meant.
        """
        pixels = await run_in(self._decoders, decode_images, images, names, self._model, self._max_pixels)
        return await self._batcher.run(pixels)

    def prepare(self, image: bytes) -> np.ndarray:
        """One encoded image, as `embed_prepared` takes a stack of them; raises what `Model.prepare` does."""
        return self._model.prepare(image, min(self._max_pixels, MAX_PIXELS))

    async def embed_prepared(self, images: np.ndarray) -> np.ndarray:
        """(n, ...) -> float32 (n, dimension), unit norm."""
        return await self._batcher.run(images)

    async def warm(self) -> None:
        """One pass, so that the first request does not pay for it. Raises ChangedModelError."""
        await run_in(self._decoders, self._model.check)


def to_base64(vector: np.ndarray) -> str:
    """Little-endian float32, as the openai client decodes it."""
    return base64.b64encode(vector.astype("<f4", copy=False).tobytes()).decode("ascii")
