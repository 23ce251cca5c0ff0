"""From the settings of an index to the index."""

from typing import Annotated

from holdfast.base import Kinds
from holdfast.index.config import QUERY_VERSIONS, IndexConfig, IndexSettings
from holdfast.index.milvus import MilvusConfig
from holdfast.index.protocol import Index
from holdfast.store import Store

AnyIndexConfig = Annotated[IndexSettings, Kinds(IndexConfig, MilvusConfig)]
"""A built-in index, or one of another package."""


def open_index(store: Store, config: IndexSettings, query_versions: int = QUERY_VERSIONS) -> Index:
    """The index of a store's gallery, ready to follow it.

    Args:
        query_versions: of so many versions that search through adapters an index in this process keeps the
            mapped entries, where the config does not say.

    An index in this process begins with its snapshot, if there is one that fits the database.

    Raises:
        ConfigError: a package is missing. StoreError: what holds the vectors cannot be reached.
    """
    return config.open(store, query_versions)
