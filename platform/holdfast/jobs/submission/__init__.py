"""Commands as jobs of a Ray cluster: what travels with them, following them, and what became of them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
