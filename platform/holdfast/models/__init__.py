"""Encoders: images in, unit vectors out, with everything that decides what the vectors are."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
