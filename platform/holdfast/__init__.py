"""Holdfast: every new version of an embedding model searches the gallery that the older versions filled."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"
