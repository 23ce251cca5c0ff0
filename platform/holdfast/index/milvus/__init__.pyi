from .config import MilvusConfig
from .index import MilvusIndex

__all__ = [
    "MilvusConfig",
    "MilvusIndex",
]
