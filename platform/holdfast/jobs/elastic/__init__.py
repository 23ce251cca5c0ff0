"""A group of Ray Train workers that shrinks and grows, and loses little when it does."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
