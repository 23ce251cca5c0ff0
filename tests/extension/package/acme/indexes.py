from pydantic import Field

from holdfast.index import QUERY_VERSIONS, Index, IndexSettings, LocalIndex
from holdfast.store import Store


class Plain(LocalIndex):
    """Everything in memory, compared one by one; nothing is kept on disk."""

    kind = "acme.indexes:PlainConfig"


class PlainConfig(IndexSettings):
    room: int = Field(1_000_000, ge=1)

    def open(self, store: Store, query_versions: int = QUERY_VERSIONS) -> Index:
        return Plain(query_versions=query_versions)
