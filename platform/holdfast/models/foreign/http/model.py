"""The model behind an endpoint."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from holdfast.base import ChangedModelError, EndpointError, NotEmbeddableError
from holdfast.models.foreign.answers import Answers, drift
from holdfast.models.foreign.description import ForeignContract
from holdfast.models.foreign.http.config import HttpConfig
from holdfast.models.foreign.http.endpoint import Endpoint
from holdfast.models.foreign.http.images import data_uri, file_of
from holdfast.models.model import Modality, Purpose, RawImage
from holdfast.models.preparation import MAX_PIXELS
from holdfast.models.probes import PROBE_TEXTS, probe_files

CHANGED = 2e-3
"""1 - cosine of answers to one probe, above which another model answers. Number formats, batches and machines
of one model come to 1e-6 to 3e-4; an answer of its own is refused at adoption from half of this on."""


class HttpModel:
    """Asks an endpoint, and holds it to its answers at adoption."""

    quantizer = None

    def __init__(self, endpoint: Endpoint, contract: ForeignContract, answers: Answers) -> None:
        self._endpoint, self._contract, self._answers = endpoint, contract, answers
        self.dimension = contract.dimension
        self.takes: frozenset[Modality] = answers.takes

    @classmethod
    def open(cls, config: HttpConfig, folder: Path, contract: ForeignContract) -> "HttpModel":
        """Asks nothing yet. Raises StoreError."""
        return cls(Endpoint(config), contract, Answers.load(folder))

    def contract(self) -> ForeignContract:
        return self._contract

    def prepare(self, image: RawImage, max_pixels: int = MAX_PIXELS) -> np.ndarray:
        """The file that is sent, as an array () of one object, bytes."""
        self._require("image")
        return np.array(file_of(image, max_pixels), dtype=object)

    def embed(self, images: np.ndarray | Sequence[Image.Image | bytes]) -> np.ndarray:
        self._require("image")
        files = images.tolist() if isinstance(images, np.ndarray) else [file_of(image) for image in images]
        return self._ask("image", [data_uri(file) for file in files])

    def embed_text(self, texts: Sequence[str], purpose: Purpose | None = None) -> np.ndarray:
        self._require("text")
        return self._ask("text", list(texts), purpose)

    def check(self) -> None:
        asked = {"image": [data_uri(file) for file in probe_files()], "text": list(PROBE_TEXTS)}
        for modality, promised in self._answers.vectors.items():
            away = drift(self._ask(modality, asked[modality]), promised)
            if away > CHANGED:
                raise ChangedModelError(
                    f"{self._endpoint} has become another model since it was adopted: for the built-in "
                    f"{modality} probes it answers vectors with a cosine of down to {1 - away:.3f} to those "
                    f"of then, and below {1 - CHANGED:g} it is another version. Adopt it under another name."
                )

    def _ask(self, modality: Modality, items: Sequence[str], purpose: Purpose | None = None) -> np.ndarray:
        if not items:
            return np.empty((0, self.dimension), np.float32)
        vectors = unit_vectors(self._endpoint, self._endpoint.ask(modality, items, purpose))
        if vectors.shape[1] != self.dimension:
            raise ChangedModelError(
                f"{self._endpoint} answers vectors of {vectors.shape[1]} dimensions, and had "
                f"{self.dimension} when it was adopted: it is another version. Adopt it under another name."
            )
        return vectors

    def _require(self, modality: Modality) -> None:
        if modality not in self.takes:
            (other,) = self.takes
            raise NotEmbeddableError(
                f"{self._endpoint} embeds no {_NAMES[modality]}: give {_NAMES[other]} or vectors."
            )


_NAMES: dict[Modality, str] = {"image": "images", "text": "text"}


def unit_vectors(endpoint: Endpoint, answered: Sequence[np.ndarray]) -> np.ndarray:
    """What an endpoint answered as float32 (n, d) of unit norm. Raises EndpointError for what is none."""
    lengths = {len(vector) for vector in answered}
    if len(lengths) > 1:
        raise EndpointError(f"{endpoint} answered vectors of several lengths: {sorted(lengths)}.")
    vectors = np.stack(answered).astype(np.float64)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(norms).all() or not norms.all():
        raise EndpointError(f"{endpoint} answered a vector of zeros, or one that is not finite.")
    return np.asarray(vectors / norms, dtype=np.float32)
