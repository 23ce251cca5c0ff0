"""Projections: learned maps over the vectors of a frozen base, and the versions that they are."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
