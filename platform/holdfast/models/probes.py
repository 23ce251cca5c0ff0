"""Images and texts that any model can be asked about, always the same."""

import io
from functools import cache

import numpy as np
from PIL import Image

from holdfast.models.preparation import Preprocessing

PROBE_TEXTS = ("a photo of a dog", "red apples on a shelf", "the letter A")
_SIDE = 64


@cache
def probe_files() -> tuple[bytes, ...]:
    """Eight PNG files, RGB, 64 x 64 and one of 96 x 48: grey, three ramps, a chessboard, a disc, noise."""
    row = np.arange(_SIDE, dtype=np.uint8)
    ramp = np.broadcast_to(row * 4, (_SIDE, _SIDE))
    board = ((row[:, None] // 8 + row // 8) % 2 * 255).astype(np.uint8)
    away = np.hypot(row[:, None] - 31.5, row - 31.5)
    disc = np.where(away < 20, 220, 30).astype(np.uint8)
    flat = np.full((_SIDE, _SIDE), 127, np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (_SIDE, _SIDE, 3), np.uint8)
    pictures = [
        np.stack([flat] * 3, axis=-1),
        np.stack([ramp] * 3, axis=-1),
        np.stack([ramp, ramp.T, flat], axis=-1),
        np.stack([255 - ramp, flat, ramp.T], axis=-1),
        np.stack([board] * 3, axis=-1),
        np.stack([disc, 255 - disc, ramp], axis=-1),
        noise,
        np.stack([board, disc, ramp], axis=-1),
    ]
    images = [Image.fromarray(picture) for picture in pictures]
    images[-1] = images[-1].resize((96, 48), Image.Resampling.NEAREST)
    return tuple(_png(image) for image in images)


def probe_images(preprocessing: Preprocessing) -> np.ndarray:
    """Images that every encoder can be asked about, uint8 (6, channels, size, size), always the same.

    Black, grey and white, of which a network may make nothing at all; a ramp, a chessboard, and noise.
    """
    size = preprocessing.size
    row = np.arange(size)
    plain = [np.full((size, size), grey) for grey in (0, 127, 255)]
    ramp = np.broadcast_to(row * 255 // (size - 1), (size, size))
    chessboard = (row[:, None] // 4 + row // 4) % 2 * 255
    noise = np.random.default_rng(0).integers(0, 256, (size, size))
    pictures = np.stack([*plain, ramp, chessboard, noise]).astype(np.uint8)
    return np.repeat(pictures[:, None], preprocessing.channels, axis=1)


def blank_image() -> bytes:
    """A PNG file of one grey."""
    return probe_files()[0]


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()
