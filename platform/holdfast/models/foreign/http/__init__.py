"""Models behind an HTTP endpoint: a vendor's, or a server of one's own."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
