from .index import LocalIndex
from .snapshots import Snapshots

__all__ = [
    "LocalIndex",
    "Snapshots",
]
