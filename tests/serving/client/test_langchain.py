"""LangChain's own suites over a served store, and what they do not ask."""

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("langchain_tests", reason="needs langchain-tests")

from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import VectorStore
from langchain_tests.integration_tests import EmbeddingsIntegrationTests, VectorStoreIntegrationTests

from holdfast_serving.client import Client, InvalidRequestError
from holdfast_serving.langchain import HoldfastEmbeddings, HoldfastVectorStore


class TestStoreOfTheirVectors(VectorStoreIntegrationTests):
    """Vectors made elsewhere, under a version that was adopted for them."""

    @pytest.fixture
    def vectorstore(self, client: Client) -> VectorStore:
        return HoldfastVectorStore(client, self.get_embeddings(), version="theirs")


class TestStoreOfTheServersVectors(VectorStoreIntegrationTests):
    """Text that the served version embeds."""

    @pytest.fixture
    def vectorstore(self, client: Client) -> VectorStore:
        return HoldfastVectorStore(client)


class TestEmbeddings(EmbeddingsIntegrationTests):
    @pytest.fixture(autouse=True)
    def _served(self, served: Any) -> None:
        self._served_at = served

    @property
    def embeddings_class(self) -> type[HoldfastEmbeddings]:
        return HoldfastEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"url": self._served_at.url, "api_key": self._served_at.key, "model": "clip"}


@pytest.fixture
def store(client: Client) -> HoldfastVectorStore:
    return HoldfastVectorStore(client)


def test_metadata_come_back_and_filter(store: HoldfastVectorStore) -> None:
    metadata = {"page": 3, "loc": {"lines": [1, 2]}, "tags": ["a", "b"], "none": None, "big": 2**60}
    store.add_texts(["one", "two"], [metadata, {"page": 4, "good": True}], ids=["1", "2"])
    assert store.get_by_ids(["1"]) == [Document(id="1", page_content="one", metadata=metadata)]
    assert [d.id for d in store.similarity_search("one", k=5, filter={"page": {"gte": 4}})] == ["2"]
    assert [d.id for d in store.similarity_search("one", k=5, filter={"good": True})] == ["2"]
    assert [d.id for d in store.similarity_search("one", k=5, filter={"not": {"tags": "b"}})] == ["2"]
    assert store.delete(filter={"tags": "a"})
    assert [d.id for d in store.similarity_search("one", k=5)] == ["2"]
    with pytest.raises(InvalidRequestError, match="page_content"):
        store.add_texts(["three"], [{"page_content": "mine"}])


def test_words_find_images_beside_texts(
    store: HoldfastVectorStore, client: Client, png: Callable[..., bytes]
) -> None:
    client.upsert_many([{"id": "photo", "image": png(0), "attributes": {"shop": "a"}}])
    store.add_texts(["a shop"], ids=["text"])
    found = {document.id: document for document in store.similarity_search("a shop")}
    assert found["photo"].page_content == ""
    assert found["photo"].metadata == {"shop": "a"}
    assert found["text"].page_content == "a shop"


def test_scores_and_the_retriever(store: HoldfastVectorStore) -> None:
    texts = ["red apples", "red apple", "a blue boat"]
    store.add_texts(texts, ids=["1", "2", "3"])
    (first, score), *_ = store.similarity_search_with_score("red apples")
    assert (first.id, score) == ("1", pytest.approx(1, abs=1e-4))
    assert store.similarity_search_with_relevance_scores("red apples")[0][1] == pytest.approx(1, abs=1e-4)
    diverse = store.as_retriever(search_type="mmr", search_kwargs={"k": 2, "fetch_k": 3, "lambda_mult": 0.1})
    assert [document.id for document in diverse.invoke("red apples")] == ["1", "3"]
    near = store.as_retriever(search_kwargs={"k": 1})
    assert [document.id for document in near.invoke("a blue boat")] == ["3"]


def test_a_store_of_texts(client: Client) -> None:
    made = HoldfastVectorStore.from_texts(["one"], HoldfastEmbeddings(client), ids=["1"])
    assert [document.page_content for document in made.similarity_search("one")] == ["one"]
    fake = DeterministicFakeEmbedding(size=6)
    with pytest.raises(InvalidRequestError, match="holdfast adopt"):
        HoldfastVectorStore(client, fake)
    with pytest.raises(InvalidRequestError, match="ids"):
        made.delete()
