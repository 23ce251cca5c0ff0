"""Moving entries of old versions to a newer one: the plan, the mover, and what may be read."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
