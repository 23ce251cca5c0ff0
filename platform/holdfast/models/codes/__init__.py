"""Compact codes: words that no version owns, and how embeddings are brought to them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
