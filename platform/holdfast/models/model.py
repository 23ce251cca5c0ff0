"""What the house knows of any version: what it embeds, and that it keeps to its contract."""

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from PIL import Image

from holdfast.models.codes import Quantizer
from holdfast.models.identity import Identity
from holdfast.models.preparation import MAX_PIXELS

Modality = Literal["image", "text"]
Purpose = Literal["query", "document"]
"""What a text is embedded for, where a model knows a difference."""
RawImage = bytes | Image.Image | np.ndarray
"""An encoded file, a Pillow image, or a uint8 array (height, width) or (height, width, 1, 3 or 4)."""


class Model(Protocol):
    """A network that was trained here, a file of somebody else's, an endpoint, or vectors alone.

    Nothing above `holdfast.models` asks which of them it is. Safe to use from many threads; can be pickled.
    """

    dimension: int

    @property
    def takes(self) -> frozenset[Modality]:
        """What it embeds; nothing at all where vectors come from elsewhere."""

    @property
    def quantizer(self) -> Quantizer | None:
        """What makes compact codes of its embeddings, if it learned to have any."""

    def contract(self) -> Identity:
        """What its embeddings depend on, as it is now."""

    def prepare(self, image: RawImage, max_pixels: int = MAX_PIXELS) -> np.ndarray:
        """One image, decoded and checked, as `embed` takes a stack of them.

        Raises InvalidImageError when it is no image, is cut off, or has more than `max_pixels` pixels;
        NotEmbeddableError where the model embeds none.
        """

    def embed(self, images: np.ndarray | Sequence[Image.Image | bytes]) -> np.ndarray:
        """Embed images, or a stack (n, ...) of prepared ones, as float32 (n, dimension) of unit norm.

        Raises InvalidImageError for what cannot be decoded, NotEmbeddableError where the model embeds none.
        """

    def embed_text(self, texts: Sequence[str], purpose: Purpose | None = None) -> np.ndarray:
        """Embed texts as float32 (n, dimension) of unit norm, in the space of the images.

        Without a `purpose` as the contract has it. Most models know no difference.

        Raises NotEmbeddableError where the model embeds none.
        """

    def check(self) -> None:
        """Run once, so that the first request is as quick as the others, and see that the answers are still
        those of the contract. Raises ChangedModelError."""
