"""LlamaIndex's store over a served gallery: nodes come back whole, by queries, ids, filters and documents."""

import pytest

pytest.importorskip("llama_index.core", reason="needs llama-index-core")

from llama_index.core import Document, MockEmbedding, StorageContext, VectorStoreIndex
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)

from holdfast_serving.client import Client, InvalidRequestError
from holdfast_serving.llama_index import HoldfastEmbedding, HoldfastVectorStore

Vectors = list[float]


def node(name: str, vector: Vectors, document: str = "d1", **metadata: object) -> TextNode:
    source = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id=document)}
    return TextNode(
        id_=name, text=f"text of {name}", embedding=vector, metadata=metadata, relationships=source
    )


NODES = [
    node("a", [1, 0, 0, 0, 0, 0], year=1999, tags=["x", "y"], theme="war"),
    node("b", [3, 1, 0, 0, 0, 0], year=2005, theme="peace"),
    node("c", [0, 0, 1, 0, 0, 0], "d2", year=2010, theme="war"),
]


@pytest.fixture
def store(client: Client) -> HoldfastVectorStore:
    made = HoldfastVectorStore(client, "theirs")
    assert made.add(NODES) == ["a", "b", "c"]
    return made


def ids(store: HoldfastVectorStore, *filters: tuple[str, str, object], **query: object) -> list[str] | None:
    asked = MetadataFilters(
        filters=[
            MetadataFilter(key=key, operator=FilterOperator(sign), value=value)  # type: ignore[arg-type]
            for key, sign, value in filters
        ]
    )
    vector = [1.0, 0, 0, 0, 0, 0]
    return store.query(
        VectorStoreQuery(vector, similarity_top_k=5, filters=asked, **query)  # type: ignore[arg-type]
    ).ids


def test_nodes_come_back_whole_and_in_order(store: HoldfastVectorStore) -> None:
    found = store.query(VectorStoreQuery([2.0, 0, 0, 0, 0, 0], similarity_top_k=2))
    assert found.ids == ["a", "b"]
    assert found.similarities == pytest.approx([1, 3 / 10**0.5], abs=1e-4)
    assert found.nodes is not None
    first = found.nodes[0]
    assert (first.get_content(), first.metadata, first.ref_doc_id) == ("text of a", NODES[0].metadata, "d1")


def test_filters_narrow_a_query(store: HoldfastVectorStore) -> None:
    assert ids(store, ("theme", "==", "war")) == ["a", "c"]
    assert ids(store, ("year", ">", 1999), ("year", "<=", 2010)) == ["b", "c"]
    assert ids(store, ("theme", "in", ["peace"])) == ["b"]
    assert ids(store, doc_ids=["d2"]) == ["c"]
    assert ids(store, node_ids=["b", "c"]) == ["b", "c"]


def test_filters_are_negated_joined_and_look_into_lists(store: HoldfastVectorStore) -> None:
    assert ids(store, ("theme", "!=", "war")) == ["b"]
    assert ids(store, ("tags", "!=", "x"), ("year", "nin", [2005])) == ["c"]
    assert ids(store, ("tags", "contains", "y")) == ["a"]
    assert ids(store, ("tags", "any", ["y", "z"])) == ["a"]
    assert ids(store, ("tags", "all", ["x", "y"])) == ["a"]
    assert ids(store, ("tags", "all", ["x", "z"])) == []
    assert ids(store, ("tags", "is_empty", None)) == ["b", "c"]
    assert ids(store, ("year", "==", 1999), ("year", "==", 2005)) == []
    old, peace = (
        MetadataFilter(key="year", value=2000, operator=FilterOperator.LT),
        MetadataFilter(key="theme", value="peace"),
    )
    either = MetadataFilters(filters=[old, peace], condition=FilterCondition.OR)
    neither = MetadataFilters(filters=[old, peace], condition=FilterCondition.NOT)
    nested = MetadataFilters(filters=[either, MetadataFilter(key="theme", value="war")])
    found = [[each.node_id for each in store.get_nodes(filters=one)] for one in (either, neither, nested)]
    assert found == [["a", "b"], ["c"], ["a"]]


def test_what_the_server_cannot_say_is_refused(store: HoldfastVectorStore) -> None:
    with pytest.raises(InvalidRequestError, match="theme text_match"):
        ids(store, ("theme", "text_match", "w"))
    with pytest.raises(InvalidRequestError, match="'theme'"):
        ids(store, ("theme", ">", "no date"))
    with pytest.raises(InvalidRequestError, match="hybrid"):
        store.query(VectorStoreQuery([1.0] * 6, mode=VectorStoreQueryMode.HYBRID))
    with pytest.raises(InvalidRequestError, match="zeros"):
        store.query(VectorStoreQuery([0.0] * 6))


def test_nodes_are_read_and_deleted(store: HoldfastVectorStore) -> None:
    war = MetadataFilters(filters=[MetadataFilter(key="theme", value="war")])
    assert [each.node_id for each in store.get_nodes(["b", "nobody"])] == ["b"]
    assert sorted(each.node_id for each in store.get_nodes(filters=war)) == ["a", "c"]
    assert [each.node_id for each in store.get_nodes(["a", "b"], war)] == ["a"]
    store.delete_nodes(["a", "b"], war)
    assert ids(store) == ["b", "c"]
    store.delete("d2")
    assert ids(store) == ["b"]
    store.delete_nodes(["b", "nobody"])
    assert ids(store) == []
    store.add(NODES)
    store.clear()
    assert ids(store) == []


def test_an_index_of_documents(client: Client) -> None:
    store = HoldfastVectorStore(client, "clip")
    assert store.version == "v1"
    embedding = HoldfastEmbedding(client, "clip")
    documents = [Document(text="red apples", doc_id="1"), Document(text="a blue boat", doc_id="2")]
    context = StorageContext.from_defaults(vector_store=store)
    index = VectorStoreIndex.from_documents(documents, context, embed_model=embedding)
    assert [hit.text for hit in index.as_retriever(similarity_top_k=1).retrieve("red apples")] == [
        "red apples"
    ]
    index.delete_ref_doc("1")
    again = VectorStoreIndex.from_vector_store(store, embed_model=embedding)
    assert [hit.text for hit in again.as_retriever().retrieve("red apples")] == ["a blue boat"]


def test_vectors_of_another_model(client: Client) -> None:
    store = HoldfastVectorStore(client, "theirs")
    context = StorageContext.from_defaults(vector_store=store)
    documents = [Document(text="one", doc_id="1")]
    index = VectorStoreIndex.from_documents(documents, context, embed_model=MockEmbedding(embed_dim=6))
    assert [hit.text for hit in index.as_retriever().retrieve("one")] == ["one"]
