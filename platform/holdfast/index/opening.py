"""From the settings of an index to the index."""

from typing import Annotated

from pydantic import Field

from holdfast.index.config import QUERY_VERSIONS, IndexConfig
from holdfast.index.local import LocalIndex, Snapshots
from holdfast.index.milvus import MilvusConfig
from holdfast.index.protocol import Index
from holdfast.store import Store

AnyIndexConfig = Annotated[IndexConfig | MilvusConfig, Field(discriminator="kind")]


def open_index(
    store: Store, config: IndexConfig | MilvusConfig, query_versions: int = QUERY_VERSIONS
) -> Index:
    """The index of a store's gallery, ready to follow it.

    Args:
        query_versions: of so many versions that search through adapters an index in this process keeps the
            mapped entries, where the config does not say.

    An index in this process begins with its snapshot, if there is one that fits the database.

    Raises:
        ConfigError: a package is missing. StoreError: what holds the vectors cannot be reached.
    """
    if isinstance(config, IndexConfig):
        return _local(store, config, query_versions)
    from holdfast.index.milvus import MilvusIndex

    return MilvusIndex(config)


def _local(store: Store, config: IndexConfig, query_versions: int) -> LocalIndex:
    snapshots = Snapshots(store.index_folder, store)
    index = LocalIndex(config, store.index_folder, query_versions, snapshots)
    index.load()
    return index
