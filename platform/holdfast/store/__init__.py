"""The truth: versions and their lineage, measured compatibility, traffic, runs, keys; and the artifacts."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
