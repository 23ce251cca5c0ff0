"""How a sequence goes on where it was interrupted: checkpoints, and whether they fit."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
