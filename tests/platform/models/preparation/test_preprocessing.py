import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from holdfast.base import InvalidImageError
from holdfast.models import Preprocessing


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def grey(array: list[list[int]]) -> Image.Image:
    return Image.fromarray(np.array(array, np.uint8))


GRADIENT = np.add.outer(np.arange(28), np.arange(28)).astype(np.uint8) * 4


def test_an_image_of_the_right_size_is_copied_exactly():
    expected = GRADIENT[None]
    np.testing.assert_array_equal(Preprocessing().pixels(encoded(Image.fromarray(GRADIENT))), expected)
    np.testing.assert_array_equal(Preprocessing().pixels(Image.fromarray(GRADIENT)), expected)
    np.testing.assert_array_equal(Preprocessing().pixels(GRADIENT), expected)


@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(1, 70),
    height=st.integers(1, 70),
    mode=st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "HSV"]),
    fit=st.sampled_from(["stretch", "pad", "crop"]),
    channels=st.sampled_from([1, 3]),
)
def test_every_shape_and_mode_gives_uint8_of_the_promised_shape(width, height, mode, fit, channels):
    image = Image.new(mode, (width, height), None if mode in ("CMYK", "HSV", "YCbCr") else 1)
    pixels = Preprocessing(size=16, channels=channels, fit=fit).pixels(image)
    assert (pixels.dtype, pixels.shape) == (np.uint8, (channels, 16, 16))
    assert pixels.flags["C_CONTIGUOUS"]
    assert pixels.flags["WRITEABLE"]


@pytest.mark.parametrize("format", ["PNG", "BMP", "GIF", "PPM", "TIFF"])
def test_lossless_formats_agree(format):
    pixels = Preprocessing().pixels(encoded(Image.fromarray(GRADIENT), format))
    np.testing.assert_array_equal(pixels[0], GRADIENT)


@pytest.mark.parametrize("format", ["JPEG", "WEBP"])
def test_lossy_formats_are_read(format):
    pixels = Preprocessing().pixels(encoded(Image.fromarray(GRADIENT), format, quality=95))
    assert np.abs(pixels[0].astype(int) - GRADIENT).max() < 24


def test_one_bit_images_become_black_and_white():
    bits = np.zeros((28, 28), bool)
    bits[:, 14:] = True
    pixels = Preprocessing().pixels(encoded(Image.fromarray(bits)))
    np.testing.assert_array_equal(pixels[0], np.where(bits, 255, 0))


def test_a_palette_gives_its_colours_and_not_its_indices():
    image = Image.new("P", (28, 28), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    pixels = Preprocessing(channels=3).pixels(encoded(image))
    assert pixels[:, 0, 0].tolist() == [10, 20, 30]


def test_sixteen_bit_grey_keeps_its_high_byte():
    values = (GRADIENT.astype(np.uint16) << 8) + 77
    pixels = Preprocessing().pixels(encoded(Image.fromarray(values)))
    np.testing.assert_array_equal(pixels[0], GRADIENT)


@pytest.mark.parametrize(("background", "seen"), [(255, 255), (0, 0)])
def test_transparency_shows_the_background(background, seen):
    image = Image.new("RGBA", (28, 28), (0, 0, 0, 0) if seen else (255, 255, 255, 0))
    image.paste((90, 90, 90, 255), (0, 0, 28, 14))
    preprocessing = Preprocessing(background=background)
    for given_image in (image, encoded(image)):
        pixels = preprocessing.pixels(given_image)
        assert (pixels[0, :14] == 90).all()
        assert (pixels[0, 14:] == seen).all()


def test_a_transparent_palette_entry_shows_the_background():
    image = Image.new("P", (28, 28), 0)
    image.putpalette([0, 0, 0, 200, 200, 200])
    image.paste(1, (0, 0, 28, 14))
    pixels = Preprocessing().pixels(encoded(image, transparency=0))
    assert (pixels[0, :14] == 200).all()
    assert (pixels[0, 14:] == 255).all()


def test_exif_orientation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # a camera held upright: show it turned clockwise by 90 degrees
    turned = Preprocessing().pixels(encoded(Image.fromarray(GRADIENT), exif=exif))
    np.testing.assert_array_equal(turned[0], np.rot90(GRADIENT, -1))


def test_fits_differ_as_they_should():
    wide = np.zeros((20, 60), np.uint8)
    wide[:, 20:40] = 200
    assert (Preprocessing(size=20, fit="crop").pixels(wide) == 200).all()
    stretched = Preprocessing(size=20, fit="stretch").pixels(wide)[0]
    assert stretched[:, 0].max() == 0
    assert stretched[:, 10].min() == 200
    padded = Preprocessing(size=30, fit="pad", background=7).pixels(wide)[0]
    assert (padded[:10] == 7).all()
    assert (padded[20:] == 7).all()
    assert (padded[10:20, 15] == 200).all()
    assert (padded[10:20, 0] == 0).all()


def test_a_long_strip_is_padded_in_bounded_memory():
    strip = np.zeros((2, 1_000_000), np.uint8)
    assert Preprocessing(fit="pad").pixels(strip).shape == (1, 28, 28)


def bomb(width: int, height: int) -> bytes:
    """A PNG of a hundred bytes that promises width x height pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def test_a_decompression_bomb_is_refused_whatever_pillow_allows(monkeypatch):
    with pytest.raises(InvalidImageError, match="too large"):
        Preprocessing().pixels(bomb(30_000, 30_000))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(InvalidImageError, match=r"8001 x 8000 = 64,008,000 pixels; 64,000,000 are allowed"):
        Preprocessing().pixels(bomb(8001, 8000))
    with pytest.raises(InvalidImageError, match="64,000,000 are allowed"):
        Preprocessing().pixels(Image.open(io.BytesIO(bomb(30_000, 30_000))))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_a_file_that_was_cut_off_is_refused(format):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    whole = encoded(Image.fromarray(noise), format)
    for share in (0.1, 0.5, 0.9):
        with pytest.raises(InvalidImageError):
            Preprocessing().pixels(whole[: int(len(whole) * share)])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_files_raise_nothing_but_invalid_image_error(data):
    format = data.draw(st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM"]))
    damaged = bytearray(encoded(Image.fromarray(GRADIENT), format))
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(InvalidImageError):
        assert Preprocessing().pixels(bytes(damaged)).shape == (1, 28, 28)


@pytest.mark.parametrize("junk", [b"", b"hello", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"])
def test_bytes_that_are_no_image_are_refused_with_the_allowed_formats(junk):
    with pytest.raises(InvalidImageError, match="PNG, JPEG"):
        Preprocessing().pixels(junk)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4), np.float32),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((0, 4), np.uint8),
        np.zeros(4, np.uint8),
    ],
)
def test_arrays_of_another_kind_are_refused(array):
    with pytest.raises(InvalidImageError, match="uint8 of shape"):
        Preprocessing().pixels(array)


def test_other_objects_and_float_images_are_refused():
    with pytest.raises(InvalidImageError, match="not str"):
        Preprocessing().pixels("picture.png")
    for mode in ("F", "LAB"):
        with pytest.raises(InvalidImageError, match=f"'{mode}'"):
            Preprocessing().pixels(Image.new(mode, (28, 28)))


def test_the_callers_image_is_left_alone():
    image = Image.new("RGBA", (50, 30), (1, 2, 3, 4))
    before = image.tobytes()
    Preprocessing(fit="pad").pixels(image)
    assert (image.mode, image.size, image.tobytes()) == ("RGBA", (50, 30), before)


def test_normalize_takes_uint8_and_unit_floats_alike():
    preprocessing = Preprocessing(mean=0.25, std=0.5)
    pixels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    expected = (torch.arange(256, dtype=torch.float64) / 255 - 0.25) / 0.5
    for given_pixels in (pixels, pixels.float() / 255, pixels.double() / 255):
        normalized = preprocessing.normalize(given_pixels)
        assert normalized.dtype == torch.float32
        torch.testing.assert_close(normalized.flatten().double(), expected, atol=1e-6, rtol=0)
    assert pixels[0, 0, 0, 5] == 5


def test_normalize_lets_gradients_through():
    pixels = torch.rand(2, 1, 4, 4, requires_grad=True)
    Preprocessing(std=0.25).normalize(pixels).sum().backward()
    torch.testing.assert_close(pixels.grad, torch.full_like(pixels, 4.0))
