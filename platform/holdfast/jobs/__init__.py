"""What runs on Ray: learning, sweeps, embedding, submission. Nothing below this package knows Ray."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
