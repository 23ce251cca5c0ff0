"""Maps from one version's space to another's, fitted after training on images that both embedded."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
