"""From the settings of an index to the index."""

import logging
from typing import Annotated

from pydantic import Field
from sqlalchemy import select

from holdfast.gallery.config import IndexConfig
from holdfast.gallery.index import Index
from holdfast.gallery.local import LocalIndex
from holdfast.gallery.milvus_config import MilvusConfig
from holdfast.gallery.snapshots import Snapshots
from holdfast.store import Store
from holdfast.store.database import reading
from holdfast.store.schema import entries

logger = logging.getLogger(__name__)

AnyIndexConfig = Annotated[IndexConfig | MilvusConfig, Field(discriminator="kind")]


def open_index(store: Store, config: IndexConfig | MilvusConfig, query_versions: int = 3) -> Index:
    """The index of a store's gallery, ready to follow it.

    Args:
        query_versions: of so many versions that search through adapters an index in this process keeps the
            mapped entries.

    An index in this process begins with its snapshot, if there is one that fits the database.

    Raises:
        ConfigError: a package is missing. StoreError: what holds the vectors cannot be reached.
    """
    if isinstance(config, IndexConfig):
        return _local(store, config, query_versions)
    from holdfast.gallery.milvus import MilvusIndex

    return MilvusIndex(config)


def _local(store: Store, config: IndexConfig, query_versions: int) -> LocalIndex:
    snapshots = Snapshots(store.index_folder, store.origin())
    index = LocalIndex(config, store.index_folder, query_versions, snapshots)
    if index.load() and not _has_seen(store, index):
        logger.warning("The snapshot of the index is of a later database than this: it is built anew.")
        index.clear()
    return index


def _has_seen(store: Store, index: LocalIndex) -> bool:
    """Whether the last write in the index is one of this database, which may have been restored."""
    if index.last is None:
        return True
    identifier, number = index.last
    with reading(store.engine) as connection:
        found = connection.scalar(select(entries.c.seq).where(entries.c.id == identifier))
    return found is not None and found >= number
