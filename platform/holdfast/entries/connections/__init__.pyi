from .lance import open_lance
from .milvus import STRONG, MilvusPlace, open_milvus
from .place import one_line, split_place
from .postgres import Postgres
from .qdrant import QdrantPlace, open_qdrant

__all__ = [
    "MilvusPlace",
    "Postgres",
    "STRONG",
    "QdrantPlace",
    "one_line",
    "open_lance",
    "open_milvus",
    "open_qdrant",
    "split_place",
]
