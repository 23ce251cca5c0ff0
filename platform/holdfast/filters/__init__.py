"""The filter language: what it can say, and how it is read. Indexes evaluate it by columns, lists in SQL."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
