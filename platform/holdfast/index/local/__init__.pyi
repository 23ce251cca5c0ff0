from .columns import Column, Columns
from .index import LocalIndex
from .partition import Partition
from .pullback import candidates, scores_through
from .snapshots import Snapshots
from .views import View, Views

__all__ = [
    "Column",
    "Columns",
    "LocalIndex",
    "Partition",
    "Snapshots",
    "View",
    "Views",
    "candidates",
    "scores_through",
]
