"""The version that a projection is: what its base makes of an image or a text, mapped."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from holdfast.base import StoreError
from holdfast.models.codes import Quantizer
from holdfast.models.model import Modality, Model, Purpose, RawImage
from holdfast.models.preparation import MAX_PIXELS
from holdfast.models.projections.projection import Projection, ProjectionContract


class ProjectedModel:
    """A base and a projection over it. Raises StoreError for another base than it was learned over."""

    def __init__(self, base: Model, projection: Projection) -> None:
        found = base.contract().id
        if found != projection.base:
            raise StoreError(f"The projection was learned over {projection.base}, and its base is {found}.")
        self.base, self.projection = base, projection
        self.dimension = projection.dimension

    @property
    def takes(self) -> frozenset[Modality]:
        return self.base.takes

    @property
    def quantizer(self) -> Quantizer | None:
        return self.projection.quantizer

    def contract(self) -> ProjectionContract:
        return self.projection.contract()

    def prepare(self, image: RawImage, max_pixels: int = MAX_PIXELS) -> np.ndarray:
        return self.base.prepare(image, max_pixels)

    def embed(self, images: np.ndarray | Sequence[Image.Image | bytes]) -> np.ndarray:
        return self.map_vectors(self.base.embed(images))

    def embed_text(self, texts: Sequence[str], purpose: Purpose | None = None) -> np.ndarray:
        return self.map_vectors(self.base.embed_text(texts, purpose))

    def map_vectors(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors of the base, float32 (n, d_base) -> float32 (n, dimension) of unit norm: what the version
        makes of the images that they were made of."""
        return self.projection.embed(vectors)

    def check(self) -> None:
        self.base.check()
