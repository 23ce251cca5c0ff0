"""LlamaIndex's vector store and embedding over a served gallery; needs `holdfast[llama-index]`."""

from collections.abc import Sequence
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.schema import BaseNode, ImageNode, IndexNode, Node, TextNode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)
from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict

from holdfast_serving.attributes import as_attributes, as_metadata, normalized
from holdfast_serving.client import Client, EntryBody, InvalidRequestError

NODE_ID = "_node_id"
_KINDS = [kind.class_name() for kind in (Node, TextNode, ImageNode, IndexNode)]
_RANGES = {
    FilterOperator.GT: "gt",
    FilterOperator.GTE: "gte",
    FilterOperator.LT: "lt",
    FilterOperator.LTE: "lte",
}
Filter = dict[str, Any]


class HoldfastEmbedding(BaseEmbedding):
    """Text embedded by a served version, by name or alias; queries and nodes alike."""

    _client: Client = PrivateAttr()

    def __init__(self, client: Client, model: str = "live", **settings: Any) -> None:
        super().__init__(model_name=model, **settings)
        self._client = client

    @classmethod
    def class_name(cls) -> str:
        return "HoldfastEmbedding"

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = self._client.embed_texts(texts, self.model_name).vectors.tolist()
        return vectors

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


class HoldfastVectorStore(BasePydanticVectorStore):
    """Nodes in a gallery.

    A node's metadata are attributes of its entry, by which queries filter; the whole node is kept beside
    them. A store finds what it wrote itself at once.

    Args:
        client: of the server.
        version: that makes the vectors of nodes and queries. One that another model makes is adopted first
            (`holdfast adopt NAME vectors:PROVIDER/MODEL --dimension D`).
    """

    stores_text: bool = True
    version: str
    _client: Client = PrivateAttr()
    _seq: int = PrivateAttr(default=0)

    def __init__(self, client: Client, version: str, **settings: Any) -> None:
        # By its name: an alias may mean another version tomorrow.
        super().__init__(version=client.get_model(version).id, **settings)
        self._client = client

    @classmethod
    def class_name(cls) -> str:
        return "HoldfastVectorStore"

    @property
    def client(self) -> Client:
        return self._client

    def add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        vectors = normalized([node.get_embedding() for node in nodes])
        entries: list[EntryBody] = [
            {"id": node.node_id, "vector": vector, "version": self.version, "attributes": _attributes(node)}
            for node, vector in zip(nodes, vectors, strict=True)
        ]
        self._saw(self._client.upsert_many(entries).seq)
        return [node.node_id for node in nodes]

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        self._delete_all({"ref_doc_id": ref_doc_id})

    def delete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
        **delete_kwargs: Any,
    ) -> None:
        if filters is None:
            self._saw(self._client.delete_many(node_ids or []))
        else:
            self._delete_all(*_filters(filters), *_among(node_ids))

    def clear(self) -> None:
        """Every node of this version; what is no node stays."""
        self._delete_all()

    def get_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        """By ids, by filters, or both."""
        if filters is None:
            return [_node(entry.attributes) for entry in self._client.get_many(node_ids or []).values()]
        asked = _nodes_only([*_filters(filters), *_among(node_ids)])
        found = self._client.entries(filter=asked, versions=[self.version])
        return [_node(entry.attributes) for entry in found]

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """`kwargs` are further arguments of `Client.search`."""
        if query.mode != VectorStoreQueryMode.DEFAULT:
            raise InvalidRequestError(
                f"mode {query.mode.value}: a gallery answers queries by vector (default)."
            )
        if query.query_embedding is None:
            raise InvalidRequestError("A query needs query_embedding.")
        asked = [*_filters(query.filters), *_among(query.node_ids)]
        if query.doc_ids:
            asked.append({"doc_id": {"in": query.doc_ids}})
        (vector,) = normalized([query.query_embedding])
        answer = self._client.search(
            vector=vector,
            model=self.version,
            k=query.similarity_top_k,
            filter=_nodes_only(asked),
            min_seq=self._seq,
            **kwargs,
        )
        return VectorStoreQueryResult(
            nodes=[_node(hit.attributes) for hit in answer.hits],
            similarities=[hit.calibrated for hit in answer.hits],
            ids=[hit.id for hit in answer.hits],
        )

    def _delete_all(self, *asked: Filter) -> None:
        self._saw(self._client.delete_matching(_nodes_only(asked), versions=[self.version]).seq)

    def _saw(self, seq: int | None) -> None:
        self._seq = max(self._seq, seq or 0)


def _attributes(node: BaseNode) -> dict[str, Any]:
    """Metadata, the ids of its document, and the whole node under names that begin with `_`."""
    metadata = node_to_metadata_dict(node)
    whole = {name: metadata.pop(name) for name in ("_node_content", "_node_type")}
    return as_attributes(metadata, whole | {NODE_ID: node.node_id})


def _node(attributes: dict[str, Any]) -> BaseNode:
    return metadata_dict_to_node(as_metadata(attributes))


def _nodes_only(asked: Sequence[Filter]) -> Filter:
    return {"and": [{"_node_type": {"in": _KINDS}}, *asked]}


def _among(node_ids: list[str] | None) -> list[Filter]:
    # LlamaIndex leaves the list empty where it names none.
    return [{NODE_ID: {"in": node_ids}}] if node_ids else []


def _filters(filters: MetadataFilters | None) -> list[Filter]:
    """The server's filters, which must all hold. Raises InvalidRequestError for what it cannot say."""
    parts: list[Filter] = []
    for each in [] if filters is None else filters.filters:
        if isinstance(each, MetadataFilters):
            parts += [{"and": inner}] if (inner := _filters(each)) else []
        else:
            parts.append(_one(each))
    if filters is None or not parts or filters.condition in (FilterCondition.AND, None):
        return parts
    return [{"not": {"or": parts}} if filters.condition == FilterCondition.NOT else {"or": parts}]


def _one(asked: MetadataFilter) -> Filter:
    key, value = asked.key, asked.value
    match asked.operator:
        # What is contained is a member of a list; a text is never cut into parts.
        case FilterOperator.EQ | FilterOperator.CONTAINS:
            return {key: value}
        case FilterOperator.NE:
            return {"not": {key: value}}
        case FilterOperator.IN | FilterOperator.ANY:
            return {key: {"in": value}}
        case FilterOperator.NIN:
            return {"not": {key: {"in": value}}}
        case FilterOperator.ALL if isinstance(value, list):
            return {"and": [{key: each} for each in value]}
        case FilterOperator.IS_EMPTY:
            return {"or": [{key: {"exists": False}}, {key: ""}]}
        case operator if operator in _RANGES:
            return {key: {_RANGES[operator]: value}}
    raise InvalidRequestError(f"The filter {key} {asked.operator.value}: the server has no such one.")
