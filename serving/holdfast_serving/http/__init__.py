"""The HTTP interface: a request from its first header to its answer. Knows no Ray."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
