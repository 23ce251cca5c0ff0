"""The truth of the gallery: entries in SQL, bulk files, group commit, and the lease of their one writer."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
