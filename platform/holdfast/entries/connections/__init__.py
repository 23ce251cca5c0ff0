"""Databases of others: how they are named and reached, and what they say when it fails, in a sentence."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
