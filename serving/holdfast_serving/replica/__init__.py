"""What a gateway holds: versions in memory, an index to read, the traffic it follows. Knows no Ray."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
