"""The file of an image that an endpoint gets."""

import base64
import io

import numpy as np
from PIL import Image

from holdfast.base import InvalidImageError
from holdfast.models.model import RawImage
from holdfast.models.preparation import MAX_PIXELS, decode_image, require_pixels, upright


def file_of(image: RawImage, max_pixels: int = MAX_PIXELS) -> bytes:
    """The user's own bytes where every endpoint reads them (PNG, JPEG, WebP), else a PNG of the pixels,
    upright. Raises InvalidImageError."""
    if isinstance(image, bytes):
        opened = decode_image(image, max_pixels)
        return image if media_type(image) is not None else _png(opened)
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim not in (2, 3):
            raise InvalidImageError(f"An image array is uint8 (height, width, ...), not {image.dtype}.")
        image = Image.fromarray(image[:, :, 0] if image.shape[2:] == (1,) else image)
    require_pixels(image, max_pixels)
    return _png(upright(image))


def media_type(content: bytes) -> str | None:
    """By its first bytes; None for what not every endpoint reads."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return None


def data_uri(content: bytes) -> str:
    """Of a file that `file_of` made."""
    return f"data:{media_type(content)};base64,{base64.b64encode(content).decode('ascii')}"


def in_other_bytes(content: bytes) -> bytes:
    """The same pixels as a PNG without compression: another text as a data URI, and the same image."""
    return _png(decode_image(content), compress_level=0)


def _png(image: Image.Image, compress_level: int = 6) -> bytes:
    kept = image if image.mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16") else image.convert("RGB")
    buffer = io.BytesIO()
    kept.save(buffer, format="PNG", compress_level=compress_level)
    return buffer.getvalue()
