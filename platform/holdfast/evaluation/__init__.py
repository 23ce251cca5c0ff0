"""Retrieval metrics, the compatibility matrix, confidence intervals and the report. Plain numpy and torch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
