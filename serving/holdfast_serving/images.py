"""From a request's text to the bytes of an image that is safe to decode."""

import base64
import binascii
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from holdfast.errors import InvalidImageError
from holdfast.models import Preprocessing
from holdfast.models.preprocessing import FORMATS


def image_bytes(text: str, where: str) -> bytes:
    """A data URI or plain base64 -> the encoded image. Raises InvalidImageError, naming `where`."""
    payload = text
    if text[:5].lower() == "data:":
        header, comma, payload = text.partition(",")
        if not comma or not header.lower().endswith(";base64"):
            raise InvalidImageError(f"{where}: a data URI must be of the form data:image/...;base64,....")
    elif "://" in text[:64]:
        raise InvalidImageError(f"{where}: URLs are not fetched; send the image as a data URI or as base64.")
    try:
        content = base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        try:
            content = base64.b64decode("".join(payload.split()), validate=True)
        except (binascii.Error, ValueError):
            raise InvalidImageError(f"{where}: neither a data URI nor base64.") from None
    if not content:
        raise InvalidImageError(f"{where}: the image is empty.")
    return content


def decode_images(
    texts: Sequence[str], names: Sequence[str], preprocessing: Preprocessing, max_pixels: int
) -> np.ndarray:
    """Data URIs or base64 -> uint8 (n, channels, size, size), as the version's preprocessing wants them.

    Raises InvalidImageError for bytes that are not an image and for one whose header announces more than
    `max_pixels` pixels; the header is read first, so a decompression bomb is never decoded.
    """
    return np.stack(
        [
            _decode(image_bytes(text, name), name, preprocessing, max_pixels)
            for text, name in zip(texts, names, strict=True)
        ]
    )


def _decode(content: bytes, name: str, preprocessing: Preprocessing, max_pixels: int) -> np.ndarray:
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except Exception:
        # Pillow answers damaged headers with almost any exception.
        raise InvalidImageError(
            f"{name}: these {len(content):,} bytes are not an image; allowed are {', '.join(FORMATS)}."
        ) from None
    width, height = image.size
    if width * height > max_pixels:
        raise InvalidImageError(f"{name}: {width} x {height} pixels; at most {max_pixels:,} are decoded.")
    try:
        return preprocessing.pixels(image)
    except InvalidImageError as error:
        raise InvalidImageError(f"{name}: {error}") from None
