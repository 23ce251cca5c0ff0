"""Which version answers: the record, its changes, the shadow's figures, and what is to change later."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
