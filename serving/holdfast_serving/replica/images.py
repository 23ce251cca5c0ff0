"""From a request's text to the bytes of an image that is safe to decode."""

import base64
import binascii
import struct
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

import numpy as np

from holdfast.base import InvalidImageError, shown
from holdfast.models import FORMATS, MAX_PIXELS, Model

TINY_BYTES = 4096
TINY_PIXELS = 4096
_PNG = b"\x89PNG\r\n\x1a\n"
_URL_SAFE = str.maketrans("-_", "+/")


def image_bytes(text: str | bytes, where: str) -> bytes:
    """A data URI or base64 -> the encoded image, which bytes are already. Raises InvalidImageError, naming
    `where`.

    Base64 may be URL-safe, without its padding, broken into lines; in a data URI it may be percent-encoded.
    """
    if isinstance(text, bytes):
        return _not_empty(text, where)
    if text[:5].lower() == "data:":
        return _from_data_uri(text, where)
    if "://" in text[:64]:
        raise InvalidImageError(f"{where}: URLs are not fetched; send the image as a data URI or as base64.")
    return _from_base64(text, where, "neither a data URI nor base64")


def _from_data_uri(text: str, where: str) -> bytes:
    header, comma, payload = text[5:].partition(",")
    if not comma:
        raise InvalidImageError(f"{where}: a data URI is of the form data:image/png;base64,....")
    media, *parameters = (part.strip().lower() for part in header.split(";"))
    if media and not media.startswith("image/") and media != "application/octet-stream":
        raise InvalidImageError(
            f"{where}: the data URI is of {shown(media)}, not of an image: {', '.join(FORMATS)} are allowed."
        )
    if "base64" not in parameters:
        if "%" not in payload:
            raise InvalidImageError(
                f"{where}: the data URI is neither base64 (;base64,) nor percent-encoded."
            )
        return unquote_to_bytes(payload)
    if "%" in payload:
        payload = unquote_to_bytes(payload).decode("latin-1")
    return _from_base64(payload, where, "the data URI holds no base64")


def _from_base64(payload: str, where: str, refusal: str) -> bytes:
    try:
        return _not_empty(base64.b64decode(payload, validate=True), where)
    except (binascii.Error, ValueError):
        pass
    plain = "".join(payload.split()).rstrip("=").translate(_URL_SAFE)
    try:
        return _not_empty(base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True), where)
    except (binascii.Error, ValueError):
        raise InvalidImageError(f"{where}: {refusal}: {shown(payload)}.") from None


def _not_empty(content: bytes, where: str) -> bytes:
    if not content:
        raise InvalidImageError(f"{where}: the image is empty.")
    return content


def decode_images(
    texts: Sequence[str | bytes], names: Sequence[str], model: Model, max_pixels: int
) -> np.ndarray:
    """Data URIs, base64 or encoded images -> (n, ...), as the version's model prepares them.

    Raises InvalidImageError for bytes that are not an image and for one whose header announces more than
    `max_pixels` pixels; the header is read first, so a decompression bomb is never decoded.
    """
    contents = (image_bytes(text, name) for text, name in zip(texts, names, strict=True))
    return np.stack(
        [decode(content, name, model, max_pixels) for content, name in zip(contents, names, strict=True)]
    )


def decode(content: bytes, name: str, model: Model, max_pixels: int) -> np.ndarray:
    """One encoded image, as the model prepares it; see `decode_images`."""
    try:
        return model.prepare(content, min(max_pixels, MAX_PIXELS))
    except InvalidImageError as error:
        raise InvalidImageError(f"{name}: {error}") from None


def is_tiny(content: bytes) -> bool:
    """Whether decoding takes less time than handing it to a thread: a PNG of a few pixels, by its header."""
    if len(content) > TINY_BYTES or content[:8] != _PNG or len(content) < 24:
        return False
    width, height = struct.unpack(">II", content[16:24])
    return bool(width * height <= TINY_PIXELS)
