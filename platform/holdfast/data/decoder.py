"""What turns an encoded image into pixels."""

from typing import Protocol

import numpy as np


class Decoder(Protocol):
    """Turns an encoded image into pixels; `holdfast.models.Preprocessing` is one."""

    def pixels(self, image: bytes) -> np.ndarray:
        """uint8 (channels, height, width), of one shape for all images. Raises InvalidImageError."""
        ...

    def model_dump_json(self) -> str:
        """Everything that the pixels depend on."""
        ...
