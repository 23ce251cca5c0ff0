"""LlamaIndex's vector store and embedding over a served gallery; needs `holdfast[llama-index]`."""

from collections.abc import Iterator, Sequence
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

MOST = 1000
"""Hits of one search, by a server's default."""
NODE_ID = "_node_id"
_KINDS = [kind.class_name() for kind in (Node, TextNode, ImageNode, IndexNode)]
_RANGES = {
    FilterOperator.GT: "gt",
    FilterOperator.GTE: "gte",
    FilterOperator.LT: "lt",
    FilterOperator.LTE: "lte",
    FilterOperator.IN: "in",
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
            self._delete_all(_filter(filters) | _among(node_ids))

    def clear(self) -> None:
        """Every node of this version; what is no node stays."""
        self._delete_all({})

    def get_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        """By ids, by filters, or both. Raises InvalidRequestError where filters find more than one search
        answers."""
        if filters is None:
            return [_node(entry.attributes) for entry in self._client.get_many(node_ids or []).values()]
        found = self._found(_filter(filters) | _among(node_ids))
        if len(found) == MOST:
            raise InvalidRequestError(f"The filters hold for {MOST:,} nodes or more: narrow them.")
        return [_node(entry.attributes) for entry in self._client.get_many(found).values()]

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """`kwargs` are further arguments of `Client.search`."""
        if query.mode != VectorStoreQueryMode.DEFAULT:
            raise InvalidRequestError(
                f"mode {query.mode.value}: a gallery answers queries by vector (default)."
            )
        if query.query_embedding is None:
            raise InvalidRequestError("A query needs query_embedding.")
        asked = _filter(query.filters) | _among(query.node_ids)
        if query.doc_ids:
            asked["doc_id"] = {"in": query.doc_ids}
        (vector,) = normalized([query.query_embedding])
        answer = self._client.search(
            vector=vector,
            model=self.version,
            k=query.similarity_top_k,
            filter=self._nodes_only(asked),
            min_seq=self._seq,
            **kwargs,
        )
        return VectorStoreQueryResult(
            nodes=[_node(hit.attributes) for hit in answer.hits],
            similarities=[hit.calibrated for hit in answer.hits],
            ids=[hit.id for hit in answer.hits],
        )

    def _delete_all(self, asked: Filter) -> None:
        while found := self._found(asked):
            self._saw(self._client.delete_many(found))

    def _found(self, asked: Filter) -> list[str]:
        """Ids of this version's nodes for which the filter holds, as many as one search answers."""
        anywhere = [1.0] + [0.0] * (self._client.get_model(self.version).dimension - 1)
        answer = self._client.search(
            vector=anywhere,
            model=self.version,
            versions=[self.version],
            k=MOST,
            filter=self._nodes_only(asked),
            min_seq=self._seq,
        )
        return [hit.id for hit in answer.hits]

    def _nodes_only(self, asked: Filter) -> Filter:
        return {"_node_type": {"in": _KINDS}, **asked}

    def _saw(self, seq: int | None) -> None:
        self._seq = max(self._seq, seq or 0)


def _attributes(node: BaseNode) -> dict[str, Any]:
    """Metadata, the ids of its document, and the whole node under names that begin with `_`."""
    metadata = node_to_metadata_dict(node)
    whole = {name: metadata.pop(name) for name in ("_node_content", "_node_type")}
    return as_attributes(metadata, whole | {NODE_ID: node.node_id})


def _node(attributes: dict[str, Any]) -> BaseNode:
    return metadata_dict_to_node(as_metadata(attributes))


def _among(node_ids: list[str] | None) -> Filter:
    # LlamaIndex leaves the list empty where it names none.
    return {NODE_ID: {"in": node_ids}} if node_ids else {}


def _filter(filters: MetadataFilters | None) -> Filter:
    """The server's filter. Raises InvalidRequestError for what it cannot say."""
    merged: Filter = {}
    for each in _all_of(filters):
        if each.operator == FilterOperator.EQ:
            condition: Any = each.value
        elif each.operator in _RANGES:
            condition = {_RANGES[each.operator]: each.value}
        else:
            raise InvalidRequestError(
                f"The filter {each.key} {each.operator.value}: the server has no such one."
            )
        before = merged.get(each.key)
        if isinstance(before, dict) and isinstance(condition, dict) and not before.keys() & condition.keys():
            condition = before | condition
        elif each.key in merged:
            raise InvalidRequestError(f"Several filters of {each.key} that are not one range.")
        merged[each.key] = condition
    return merged


def _all_of(filters: MetadataFilters | None) -> Iterator[MetadataFilter]:
    """Filters that must all hold."""
    if filters is None or not filters.filters:
        return
    if filters.condition not in (FilterCondition.AND, None) and len(filters.filters) > 1:
        raise InvalidRequestError(f"Filters joined by {filters.condition}: the server joins them by and.")
    if filters.condition == FilterCondition.NOT:
        raise InvalidRequestError("Filters that may not hold: the server has no such ones.")
    for each in filters.filters:
        if isinstance(each, MetadataFilters):
            yield from _all_of(each)
        else:
            yield each
