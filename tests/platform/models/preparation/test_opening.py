import io
import struct
import warnings
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from holdfast.base import InvalidImageError, TooManyPixelsError
from holdfast.models import Preprocessing
from holdfast.models.preparation.metadata import without_metadata

COLOURS = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)
PICTURE = Image.fromarray(COLOURS)
RGB = Preprocessing(size=32, channels=3)

ORIENTATION_6 = b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"
TEXT_IN_A_NUMBER = b"\x00\x01\x02\0\x04\0\0\0abc\0"


def encoded(format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    PICTURE.save(buffer, format, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def jpeg(kind: int, payload: bytes) -> bytes:
    """With one more segment, APP1 and the like."""
    plain = encoded("JPEG")
    return plain[:2] + bytes([0xFF, kind]) + struct.pack(">H", len(payload) + 2) + payload + plain[2:]


def png(kind: bytes, payload: bytes) -> bytes:
    """With one more chunk."""
    plain = encoded("PNG")
    chunk = struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))
    return plain[:33] + chunk + plain[33:]


def exif(*entries: bytes) -> bytes:
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)


def huge_text() -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "x" * 3_000_000, zip=True)
    return encoded("PNG", pnginfo=info)


@pytest.mark.parametrize(
    ("awkward", "plain"),
    [
        (lambda: jpeg(0xE1, exif(TEXT_IN_A_NUMBER)), lambda: encoded("JPEG")),
        (lambda: jpeg(0xE1, b"Exif\0\0garbage"), lambda: encoded("JPEG")),
        (lambda: jpeg(0xED, b"Photoshop 3.0\x008BIM\x04"), lambda: encoded("JPEG")),
        (lambda: jpeg(0xE2, b"MPF\0garbage"), lambda: encoded("JPEG")),
        (lambda: encoded("PNG", exif=b"Exif\0\0zzzzzzzz"), lambda: encoded("PNG")),
        (lambda: encoded("WEBP", lossless=True, exif=b"Exif\0\0zzzzzzzz"), lambda: encoded("PNG")),
        (huge_text, lambda: encoded("PNG")),
        (lambda: png(b"iCCP", b"name\0\0" + b"no profile"), lambda: encoded("PNG")),
        (lambda: png(b"zTXt", b"name\0\0" + b"no text"), lambda: encoded("PNG")),
        (lambda: png(b"pHYs", b"\0"), lambda: encoded("PNG")),
    ],
)
def test_metadata_never_cost_the_pixels(awkward: Callable[[], bytes], plain: Callable[[], bytes]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_array_equal(RGB.pixels(awkward()), RGB.pixels(plain()))


def test_what_can_be_read_of_broken_metadata_counts() -> None:
    turned = RGB.pixels(jpeg(0xE1, exif(TEXT_IN_A_NUMBER, ORIENTATION_6)))
    upright = Image.open(io.BytesIO(encoded("JPEG"))).transpose(Image.Transpose.ROTATE_270)
    np.testing.assert_array_equal(turned, RGB.pixels(upright))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_without_its_metadata_an_image_is_the_same(format: str) -> None:
    content = encoded(format, exif=b"Exif\0\0zzzz", icc_profile=b"x" * 200)
    bare = without_metadata(content)
    assert bare is not None
    assert len(bare) < len(content) - 40
    np.testing.assert_array_equal(RGB.pixels(bare), RGB.pixels(encoded(format)))
    assert without_metadata(encoded("BMP")) is None


def announcing(width: int, height: int) -> bytes:
    """A PNG header of that size, with hardly any pixels behind it."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    plain = encoded("PNG")
    return plain[:8] + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + plain[33:]


@pytest.mark.parametrize("side", [8001, 10_000, 14_000, 60_000])
def test_the_limit_is_ours_whatever_pillow_s_is(side: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TooManyPixelsError, match=rf"{side} x {side} = .* 64,000,000 are allowed"):
            RGB.pixels(announcing(side, side))
        with pytest.raises(TooManyPixelsError, match=r"32 x 24 = 768 pixels; 100 are allowed"):
            RGB.pixels(encoded("PNG"), 100)


def test_what_is_cut_off_is_still_refused() -> None:
    for format in ("PNG", "JPEG", "WEBP"):
        content = encoded(format)
        with pytest.raises(InvalidImageError):
            RGB.pixels(content[: len(content) // 2])
