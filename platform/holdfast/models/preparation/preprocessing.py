"""How any image becomes the pixels that an encoder reads. It is part of a version's contract."""

from typing import Annotated, Literal, Self, cast

import numpy as np
import torch
from PIL import Image
from pydantic import Field, model_validator
from torch import Tensor

from holdfast.base import InvalidImageError, Settings
from holdfast.models.preparation.opening import MAX_PIXELS, damaged, decode_image, require_pixels, upright
from holdfast.models.preparation.resizing import Resampling, resize, shorter_side
from holdfast.models.preparation.views import View, view_pixels

Positive = Annotated[float, Field(gt=0)]
Scale = Literal["0..1", "-1..1", "0..255"]
Order = Literal["RGB", "BGR"]


class Preprocessing(Settings):
    """Decoding, fitting and normalizing. Two encoders that differ in any of it are two different versions.

    `fit` says how an image that is not square becomes square: `stretch` both sides, `pad` with `background`,
    or `crop` the centre. Transparent images are laid on `background` (grey level, 255 is white).

    The pixels are brought to `scale`, and normalized: (pixel - mean) / std, one number for all channels or
    one for each, in the order in which the network reads them.
    """

    size: int = Field(28, ge=8, le=1024)
    channels: Literal[1, 3] = 1
    fit: Literal["stretch", "pad", "crop"] = "stretch"
    mean: float | tuple[float, ...] = 0.5
    std: Positive | tuple[Positive, ...] = 0.5
    background: int = Field(255, ge=0, le=255)
    view: View = Field("plain", exclude_if=lambda value: value == "plain")
    """What the network sees of the pixels: them, their edges (Sobel), or their local binary patterns."""
    resize: int | None = Field(None, ge=8, le=2048, exclude_if=lambda value: value is None)
    """First both sides (`stretch`), or the shorter one (`crop`), become so long; then the centre of `size` is
    cut out."""
    centre: Literal["floor", "round"] = Field("floor", exclude_if=lambda value: value == "floor")
    """Where that cut begins if what is cut off is odd: before the half pixel, as in transformers, or at the
    even one beside it, as in torchvision and timm."""
    resampling: Resampling = Field("bilinear", exclude_if=lambda value: value == "bilinear")
    antialias: bool = Field(True, exclude_if=lambda value: value is True)
    """Shrinking averages over all pixels. Without, it reads one point of the image for each pixel, as OpenCV
    does."""
    scale: Scale = Field("0..1", exclude_if=lambda value: value == "0..1")
    order: Order = Field("RGB", exclude_if=lambda value: value == "RGB")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        for name, value in (("mean", self.mean), ("std", self.std)):
            if isinstance(value, tuple) and len(value) != self.channels:
                raise ValueError(f"{name} has {len(value)} numbers; there are {self.channels} channels")
        if self.resize is not None and self.fit == "pad":
            raise ValueError("resize goes with fit: crop or stretch; pad keeps the whole image")
        if self.resize is not None and self.resize < self.size:
            raise ValueError(f"resize ({self.resize}) is smaller than size ({self.size}), which is cut out")
        if not self.antialias and self.resampling == "lanczos":
            raise ValueError("resampling: lanczos has no form without antialias")
        if self.order == "BGR" and self.channels == 1:
            raise ValueError("order: BGR needs 3 channels")
        if self.scale != "0..1" and self.view != "plain":
            raise ValueError(f"a view is seen at scale 0..1, not {self.scale}")
        return self

    def pixels(self, image: bytes | Image.Image | np.ndarray, max_pixels: int = MAX_PIXELS) -> np.ndarray:
        """Decode and fit one image: uint8 (channels, size, size), the channels in the network's order.

        `image` is an encoded file (PNG, JPEG, BMP, GIF, PPM, WebP, TIFF; the first frame of several), a
        Pillow image, or a uint8 array (height, width) or (height, width, 1, 3 or 4). EXIF orientation is
        applied where it can be read, palettes and transparency are resolved, 16-bit grey keeps its high byte.

        Raises InvalidImageError when it is not an image, is cut off, or has more than `max_pixels` pixels.
        """
        opened = _open(image, max_pixels)
        try:
            square = self._fit(self._flatten(opened))
        except InvalidImageError:
            raise
        except Exception as error:
            raise damaged(error) from error
        pixels = np.asarray(square, dtype=np.uint8)
        if self.channels == 1:
            return pixels[None].copy()
        if self.order == "BGR":
            pixels = pixels[:, :, ::-1]
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))

    def normalize(self, pixels: Tensor) -> Tensor:
        """Make float32 network input of pixels (b, c, s, s): uint8, or floats that already lie in [0, 1]; the
        view is taken here."""
        scaled = pixels.to(torch.float32)
        if pixels.dtype == torch.uint8 and self.scale != "0..255":
            scaled = scaled.div_(255)
        elif pixels.dtype != torch.uint8 and self.scale == "0..255":
            scaled = scaled * 255
        if self.scale == "-1..1":
            scaled = scaled * 2 - 1
        return (view_pixels(self.view, scaled) - _by_channel(self.mean, scaled)) / _by_channel(
            self.std, scaled
        )

    def _flatten(self, image: Image.Image) -> Image.Image:
        """Resolve transparency and the pixel format: mode L or RGB."""
        mode = "L" if self.channels == 1 else "RGB"
        if image.mode.startswith("I"):
            image = _high_byte(image)
        elif image.mode in ("F", "LAB"):
            raise InvalidImageError(
                f"The image has pixels of mode {image.mode!r}; allowed are grey, palette, RGB and CMYK "
                "images of at most 16 bits."
            )
        if image.has_transparency_data:
            image = image.convert("RGBA")
            page = Image.new("RGBA", image.size, (self.background,) * 3 + (255,))
            image = Image.alpha_composite(page, image)
        return image if image.mode == mode else image.convert(mode)

    def _fit(self, image: Image.Image) -> Image.Image:
        width, height = image.size
        square = (self.size, self.size)
        if self.resize is not None:
            return self._fit_centre(image, self.resize)
        if image.size == square:
            return image
        if self.fit == "crop":
            side = min(width, height)
            left, top = (width - side) / 2, (height - side) / 2
            return self._resize(image, square, (left, top, left + side, top + side))
        if self.fit == "stretch" or width == height:
            return self._resize(image, square)
        # Shrunk before it is padded: padding a long strip at its own size would need a huge square.
        scale = self.size / max(width, height)
        inner = (max(1, round(width * scale)), max(1, round(height * scale)))
        page = Image.new(
            image.mode, square, self.background if self.channels == 1 else (self.background,) * 3
        )
        offset = ((self.size - inner[0]) // 2, (self.size - inner[1]) // 2)
        page.paste(self._resize(image, inner), offset)
        return page

    def _fit_centre(self, image: Image.Image, side: int) -> Image.Image:
        """Resized first, with whole numbers of pixels, as most libraries do it; then cut out."""
        sides = (side, side) if self.fit == "stretch" else shorter_side(image.size, side)
        margins = [(each - self.size) / 2 for each in sides]
        left, top = (round(each) if self.centre == "round" else int(each) for each in margins)
        return self._resize(image, sides).crop((left, top, left + self.size, top + self.size))

    def _resize(
        self,
        image: Image.Image,
        sides: tuple[int, int],
        box: tuple[float, float, float, float] | None = None,
    ) -> Image.Image:
        return resize(image, sides, self.resampling, self.antialias, box)


def _by_channel(value: float | tuple[float, ...], pixels: Tensor) -> float | Tensor:
    if isinstance(value, float):
        return value
    return torch.tensor(value, dtype=torch.float32, device=pixels.device)[:, None, None]


def _open(image: bytes | Image.Image | np.ndarray, max_pixels: int) -> Image.Image:
    """Loaded and upright."""
    if isinstance(image, bytes | bytearray | memoryview):
        return decode_image(bytes(image), max_pixels)
    if isinstance(image, np.ndarray):
        image = _from_array(image)
    if not isinstance(image, Image.Image):
        raise InvalidImageError(
            f"An image must be encoded bytes, a Pillow image or a uint8 array, not {type(image).__name__}."
        )
    require_pixels(image, max_pixels)
    try:
        image.load()
    except Exception as error:
        raise damaged(error) from error
    return upright(image)


def _from_array(array: np.ndarray) -> Image.Image:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    allowed = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if array.dtype != np.uint8 or not allowed or array.size == 0:
        raise InvalidImageError(
            f"An image array must be uint8 of shape (height, width) or (height, width, 1, 3 or 4), "
            f"not {array.dtype} {array.shape}."
        )
    return Image.fromarray(np.ascontiguousarray(array))


def _high_byte(image: Image.Image) -> Image.Image:
    """8-bit grey of a 16-bit one. Pillow's own conversion would clip everything above 255 to white."""
    values = np.asarray(image)
    return Image.fromarray((cast(np.ndarray, np.clip(values, 0, 65535)) >> 8).astype(np.uint8))
