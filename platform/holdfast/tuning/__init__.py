"""Sweeps: what may vary, which values are tried next, which trials stop early, and what came of them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
