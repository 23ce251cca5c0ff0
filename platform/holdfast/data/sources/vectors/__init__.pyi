from .files import VectorFiles

__all__ = ["VectorFiles"]
