"""From encoded bytes to a decoded Pillow image, upright. What its metadata say never costs its pixels."""

import io
import struct

from PIL import ExifTags, Image

from holdfast.base import InvalidImageError, TooManyPixelsError
from holdfast.models.preparation.metadata import without_metadata

MAX_PIXELS = 64_000_000
"""Width times height above which an image is refused before it is decoded."""

# The formats that people upload. Pillow's others are refused on purpose: some start external programs (EPS),
# some hide a second image whose size the header does not tell (ICO, ICNS).
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "WEBP", "TIFF")

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode_image(content: bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The first frame of an encoded image, decoded and upright.

    Raises InvalidImageError when it is no image of `FORMATS`, is damaged or cut off, or its header announces
    more than `max_pixels` pixels.
    """
    try:
        return upright(_loaded(content, max_pixels))
    except TooManyPixelsError:
        raise
    except InvalidImageError as error:
        # Text, profiles or thumbnails that Pillow stumbles over: the pixels may be whole all the same.
        bare = without_metadata(content)
        if bare is None or bare == content:
            raise
        try:
            return upright(_loaded(bare, max_pixels))
        except InvalidImageError:
            raise error from None


def upright(image: Image.Image) -> Image.Image:
    """A loaded image, turned as its EXIF data want it; as it is where they cannot be read.

    Pillow's own `exif_transpose` writes the data anew, too, and fails where it cannot.
    """
    try:
        method = _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        # Metadata are whatever a camera or an editor wrote, and Pillow raises almost anything over them.
        return image
    return image if method is None else image.transpose(method)


def require_pixels(image: Image.Image, max_pixels: int = MAX_PIXELS) -> None:
    """Raises InvalidImageError for an image of no pixels, TooManyPixelsError for more than `max_pixels`."""
    width, height = image.size
    if width * height > max_pixels:
        raise TooManyPixelsError(
            f"The image is too large: it has {width} x {height} = {width * height:,} pixels; "
            f"{max_pixels:,} are allowed."
        )
    if width * height == 0:
        raise InvalidImageError("The image has no pixels.")


def damaged(error: Exception) -> InvalidImageError:
    return InvalidImageError(f"The image is damaged or cut off: {str(error).rstrip('.')}.")


def _loaded(content: bytes, max_pixels: int) -> Image.Image:
    image = _opened(content)
    require_pixels(image, max_pixels)
    try:
        image.load()
    except Exception as error:
        # Pillow's decoders answer damaged files with almost any exception (OSError, SyntaxError,
        # ValueError, struct.error, IndexError ...), and all of them mean the same to the user.
        raise damaged(error) from error
    return image


def _opened(content: bytes) -> Image.Image:
    """As `Image.open`, but for its limit on pixels, which is another than ours and is met before the size is
    known to us."""
    Image.init()
    for kind in FORMATS:
        factory, accept = Image.OPEN[kind]
        if accept is not None and accept(content[:16]) is not True:
            continue
        try:
            return factory(io.BytesIO(content), "")
        except (SyntaxError, IndexError, TypeError, struct.error):
            continue
        except Exception as error:
            raise damaged(error) from error
    raise InvalidImageError(
        f"These {len(content):,} bytes are not an image that can be read; allowed are {', '.join(FORMATS)}."
    )
