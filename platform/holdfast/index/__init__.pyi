from .config import QUERY_VERSIONS, IndexConfig, IndexSettings
from .local.columns import Columns
from .local.index import LocalIndex
from .local.ivf import code_size, lists_for, training_operations, training_size
from .local.snapshots import Snapshots
from .locks import ReadWriteLock
from .milvus.config import MilvusConfig
from .milvus.index import MilvusIndex
from .opening import AnyIndexConfig, open_index
from .protocol import AS_THEY_ARE, Capabilities, Held, Hit, Index, View, Way, as_mapping, search_many
from .pullback import candidates, is_linear, pull_back, scores_through

__all__ = [
    "AS_THEY_ARE",
    "AnyIndexConfig",
    "Capabilities",
    "Columns",
    "Held",
    "Hit",
    "Index",
    "IndexConfig",
    "IndexSettings",
    "LocalIndex",
    "MilvusConfig",
    "MilvusIndex",
    "QUERY_VERSIONS",
    "ReadWriteLock",
    "Snapshots",
    "View",
    "Way",
    "as_mapping",
    "candidates",
    "code_size",
    "is_linear",
    "lists_for",
    "open_index",
    "pull_back",
    "scores_through",
    "search_many",
    "training_operations",
    "training_size",
]
