from .opening import FORMATS, MAX_PIXELS, decode_image, require_pixels, upright
from .preprocessing import Preprocessing
from .resizing import Resampling

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "Preprocessing",
    "Resampling",
    "decode_image",
    "require_pixels",
    "upright",
]
