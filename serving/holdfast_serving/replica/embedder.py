"""One loaded version: decodes images as its contract says, and embeds them and texts in batches."""

import base64
import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import get_args

import numpy as np

from holdfast.base import ChangedModelError, EndpointError, EndpointRefusedError
from holdfast.models import MAX_PIXELS, Model, Purpose
from holdfast_serving.config import BatchingConfig
from holdfast_serving.replica.batching import Batcher
from holdfast_serving.replica.health import Health
from holdfast_serving.replica.images import TINY_BYTES, decode, decode_images, image_bytes, is_tiny
from holdfast_serving.replica.outcomes import answers
from holdfast_serving.stages import stage
from holdfast_serving.threads import run_in


class Embedder:
    """A version's model behind queues of its own. The model runs in threads, never on the event loop."""

    def __init__(
        self,
        version: str,
        model: Model,
        batching: BatchingConfig,
        max_pixels: int,
        decoders: Executor,
        health: Health,
        observe: Callable[[int, float], None] | None = None,
    ) -> None:
        self.version = version
        self.dimension = model.dimension
        self.takes = model.takes
        self.health = health
        self._model = model
        self._max_pixels = max_pixels
        self._decoders = decoders
        self._prepared_bytes = math.inf  # of one image; a model that enlarges them takes its time
        size, wait = batching.images, batching.wait_seconds
        self._images = Batcher(model.embed, version, size, wait, observe)
        self._texts = {
            purpose: Batcher(partial(_embed_texts, model, purpose), f"{version}-text", size, wait)
            for purpose in (None, *get_args(Purpose))
        }

    async def embed(self, images: Sequence[str | bytes], names: Sequence[str]) -> np.ndarray:
        """Images as requests carry them -> float32 (n, dimension), unit norm.

        `names` say in an InvalidImageError which image is meant.
        """
        with answers(self.version):
            self.health.require()
            with stage("decode"):
                pixels = await self._decode(images, names)
            return await self._embedded(self._images, pixels)

    def prepare(self, image: bytes) -> np.ndarray:
        """One encoded image, as `embed_prepared` takes a stack of them; raises what `Model.prepare` does."""
        return self._model.prepare(image, min(self._max_pixels, MAX_PIXELS))

    async def embed_prepared(self, images: np.ndarray) -> np.ndarray:
        """(n, ...) -> float32 (n, dimension), unit norm."""
        self.health.require()
        return await self._embedded(self._images, images)

    async def embed_text(self, texts: Sequence[str], purpose: Purpose | None = None) -> np.ndarray:
        """Texts -> float32 (n, dimension), unit norm. Raises NotEmbeddableError where it takes none.

        `purpose` is without effect where the model knows no difference.
        """
        with answers(self.version):
            self.health.require()
            return await self._embedded(self._texts[purpose], np.array(texts, dtype=object))

    async def check(self, checkers: Executor) -> None:
        """See whether the model still is what was published; `health` knows it afterwards."""
        try:
            await run_in(checkers, self._model.check)
        except (ChangedModelError, EndpointError) as error:
            self.health.failed(error)
        else:
            self.health.passed()

    async def _decode(self, images: Sequence[str | bytes], names: Sequence[str]) -> np.ndarray:
        """(n, ...), in a thread, unless it is done before a thread would have begun."""
        if len(images) == 1 and self._prepared_bytes <= TINY_BYTES and len(images[0]) <= 2 * TINY_BYTES:
            content = image_bytes(images[0], names[0])
            if is_tiny(content):
                return decode(content, names[0], self._model, self._max_pixels)[None]
        pixels = await run_in(self._decoders, decode_images, images, names, self._model, self._max_pixels)
        self._prepared_bytes = pixels.nbytes / len(pixels)
        return pixels

    async def _embedded(self, batcher: Batcher, rows: np.ndarray) -> np.ndarray:
        try:
            return await batcher.run(rows)
        except EndpointRefusedError:
            raise  # about what was sent
        except (ChangedModelError, EndpointError) as error:
            # Nobody else need wait for it until a check finds that it answers again.
            self.health.failed(error)
            raise


def _embed_texts(model: Model, purpose: Purpose | None, texts: np.ndarray) -> np.ndarray:
    """An object array (n,) -> float32 (n, dimension)."""
    return model.embed_text(texts.tolist(), purpose)


def to_base64(vector: np.ndarray) -> str:
    """Little-endian float32, as the openai client decodes it."""
    return base64.b64encode(vector.astype("<f4", copy=False).tobytes()).decode("ascii")
