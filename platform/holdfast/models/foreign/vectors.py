"""Vectors whose model is out of reach: queries and entries come as vectors."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NoReturn

import numpy as np
from PIL import Image
from pydantic import Field

from holdfast.base import ConfigError, NotEmbeddableError, parse_settings
from holdfast.models.foreign.description import ForeignConfig, ForeignContract, write_description
from holdfast.models.foreign.wishes import Wishes
from holdfast.models.model import Modality, Model, Purpose, RawImage
from holdfast.models.preparation import MAX_PIXELS


class VectorsConfig(ForeignConfig):
    """Who made the vectors, as far as it is known: two of one dimension are told apart by nothing else."""

    kind: Literal["vectors"] = "vectors"
    provider: str = Field(min_length=1)
    model: str = Field(min_length=1)
    revision: str = ""
    dimension: int = Field(ge=2, le=65536)

    @classmethod
    def adopt(cls, reference: str, wishes: Wishes, folder: Path) -> None:
        """`reference`: PROVIDER/MODEL, the provider being what stands before the first slash."""
        wishes.require_only("vectors", "revision", "dimension")
        provider, _, model = reference.partition("/")
        if not provider or not model:
            raise ConfigError(
                f"vectors:{reference} does not say whose vectors they are: give vectors:PROVIDER/MODEL."
            )
        if wishes.dimension is None:
            raise ConfigError(f"vectors:{reference}: say of which dimension the vectors are, by --dimension.")
        values = {
            "provider": provider,
            "model": model,
            "revision": wishes.revision or "",
            "dimension": wishes.dimension,
        }
        config = parse_settings(cls, values, f"vectors:{reference}")
        write_description(folder, config, config.dimension)

    def open(self, folder: Path, contract: ForeignContract) -> Model:
        return VectorsModel(contract)


class VectorsModel:
    """Embeds nothing."""

    quantizer = None
    takes: frozenset[Modality] = frozenset()

    def __init__(self, contract: ForeignContract) -> None:
        self._contract = contract
        self.dimension = contract.dimension

    def contract(self) -> ForeignContract:
        return self._contract

    def prepare(self, image: RawImage, max_pixels: int = MAX_PIXELS) -> NoReturn:
        self._refuse("images")

    def embed(self, images: np.ndarray | Sequence[Image.Image | bytes]) -> NoReturn:
        self._refuse("images")

    def embed_text(self, texts: Sequence[str], purpose: Purpose | None = None) -> NoReturn:
        self._refuse("text")

    def check(self) -> None:
        """There is nothing to run."""

    def _refuse(self, what: str) -> NoReturn:
        made_by = f"{self._contract.model['provider']}'s {self._contract.model['model']}"
        raise NotEmbeddableError(
            f"Only vectors of {made_by} were adopted, and no model: it embeds no {what}; give vectors."
        )
