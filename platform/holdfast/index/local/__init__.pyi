from .columns import Column, Columns
from .index import LocalIndex
from .snapshots import Snapshots

__all__ = [
    "Column",
    "Columns",
    "LocalIndex",
    "Snapshots",
]
