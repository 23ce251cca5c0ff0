"""Where Milvus is, as a setting: reading it needs no Milvus."""

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, SecretStr

from holdfast.index.config import QUERY_VERSIONS, IndexSettings

if TYPE_CHECKING:
    from holdfast.index.protocol import Index
    from holdfast.store import Store


class MilvusConfig(IndexSettings):
    """Where Milvus is, and how it indexes.

    Attributes:
        uri: of a server (`http://HOST:19530`), or a file `NAME.db` that milvus-lite keeps, for trials.
        token: `USER:PASSWORD` or an API key, where the server asks for one.
        name: what the collections of this gallery begin with; two galleries on one server have two names.
        feeds: this process brings the entries to Milvus. Exactly one process of a gallery does; the others
            only search.
        algorithm: the index of each version. `FLAT` is exact.
        build: its parameters, as Milvus names them.
        search: its parameters for a search.
        recall: recall@10 that these parameters were seen to reach.
    """

    kind: Literal["milvus"] = "milvus"
    uri: str = Field(pattern=r"^(https?://.+|.+\.db)$")
    token: SecretStr = SecretStr("")
    name: str = Field("holdfast", pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")
    feeds: bool = True
    algorithm: Literal["FLAT", "HNSW", "HNSW_SQ", "IVF_FLAT", "IVF_SQ8", "IVF_PQ", "DISKANN", "SCANN"] = (
        "HNSW"
    )
    build: dict[str, int | float | str] = Field({"M": 16, "efConstruction": 200})
    search: dict[str, int | float | str] = Field({"ef": 128})
    recall: float = Field(0.95, gt=0, le=1)

    def open(self, store: "Store", query_versions: int = QUERY_VERSIONS) -> "Index":
        """Connects to Milvus."""
        from holdfast.index.milvus.index import MilvusIndex

        return MilvusIndex(self)

    def __str__(self) -> str:
        return f"Milvus at {self.uri} ({self.name}_*)"

    def searching(self) -> Self:
        return self.model_copy(update={"feeds": False})

    def feeding(self) -> Self:
        return self.model_copy(update={"feeds": True})
