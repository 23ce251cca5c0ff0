from .files import VectorFiles
from .tables import NOTES

__all__ = ["NOTES", "VectorFiles"]
