"""A cache of the entries, behind one protocol: in this process or in Milvus. Knows no SQL."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
