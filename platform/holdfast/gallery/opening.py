"""From the settings of an index to the index."""

from typing import Annotated

from pydantic import Field

from holdfast.gallery.config import IndexConfig
from holdfast.gallery.index import Index
from holdfast.gallery.local import LocalIndex
from holdfast.gallery.milvus_config import MilvusConfig
from holdfast.store import Store

AnyIndexConfig = Annotated[IndexConfig | MilvusConfig, Field(discriminator="kind")]


def open_index(store: Store, config: IndexConfig | MilvusConfig, query_versions: int = 3) -> Index:
    """The index of a store's gallery, ready to follow it.

    Args:
        query_versions: of so many versions that search through adapters an index in this process keeps the
            mapped entries.

    Raises:
        ConfigError: a package is missing. StoreError: what holds the vectors cannot be reached.
    """
    if isinstance(config, IndexConfig):
        return LocalIndex(config, store.index_folder, query_versions)
    from holdfast.gallery.milvus import MilvusIndex

    return MilvusIndex(config)
