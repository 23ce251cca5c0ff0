"""Galleries that lie elsewhere, read a portion at a time: files, FAISS indexes, databases of vectors."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
