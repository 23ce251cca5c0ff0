"""LangChain's embeddings and vector store over a served gallery; needs `holdfast[langchain]`.

A gallery holds what its versions embedded: texts as LangChain writes them, and images beside them, which
words find as well where a version takes both.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore
from langchain_core.vectorstores.utils import maximal_marginal_relevance

from holdfast_serving.attributes import as_attributes, as_metadata, normalized
from holdfast_serving.client import Client, Embedded, EntryBody, InvalidRequestError, SearchAnswer

TEXT = "page_content"
"""The attribute that holds the text of a document."""


class HoldfastEmbeddings(Embeddings):
    """Text embedded by a served version.

    Args:
        client: of the server; in its place `url` and `api_key` of a client of its own.
        model: a version, or an alias such as `live`.
    """

    def __init__(
        self,
        client: Client | None = None,
        *,
        model: str = "live",
        url: str = "http://127.0.0.1:8000",
        api_key: str | None = None,
    ) -> None:
        self.client = client or Client(url, api_key)
        self.model = model

    def embed(self, texts: Iterable[str], *, to_keep: bool = False) -> Embedded:
        """The vectors with the version that made them. What is to be kept is embedded by the version that
        writes, where the model is `live`."""
        model = "writing" if to_keep and self.model == "live" else self.model
        return self.client.embed_texts(texts, model)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = self.embed(texts).vectors.tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


class HoldfastVectorStore(VectorStore):
    """Documents in a gallery.

    An id is an entry's; metadata are its attributes, by which searches filter, lists by their members. What
    no attribute can be (objects, null, lists of these) is kept beside them, and no filter sees it. A score is
    the cosine, calibrated where entries of several versions are in one ranking. A store finds what it wrote
    itself at once.

    Args:
        client: of the server.
        embedding: what makes the vectors; the server's own version by default.
        version: under which the server knows what another `embedding` makes: adopt it first
            (`holdfast adopt NAME vectors:PROVIDER/MODEL --dimension D`).
    """

    def __init__(
        self, client: Client, embedding: Embeddings | None = None, *, version: str | None = None
    ) -> None:
        self._client, self._embedding = client, embedding or HoldfastEmbeddings(client)
        if not isinstance(self._embedding, HoldfastEmbeddings) and version is None:
            raise InvalidRequestError(
                f"{type(embedding).__name__} makes vectors of its own: name in version under which the "
                "server knows them (holdfast adopt NAME vectors:PROVIDER/MODEL --dimension D)."
            )
        self._version = version
        self._seq = 0

    @property
    def embeddings(self) -> Embeddings:
        return self._embedding

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Inserts or replaces; the ids, made where none is given."""
        given = list(texts)
        named = [name or str(uuid.uuid4()) for name in ids or [None] * len(given)]
        embedded = self._embedded(given)
        entries: list[EntryBody] = [
            {
                "id": name,
                "vector": vector,
                "version": embedded.version,
                "attributes": as_attributes(metadata or {}, {TEXT: text}),
            }
            for name, text, metadata, vector in zip(
                named, given, metadatas or [{}] * len(given), embedded.vectors, strict=True
            )
        ]
        self._seq = max(self._seq, self._client.upsert_many(entries).seq)
        return named

    def delete(
        self, ids: list[str] | None = None, *, filter: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> bool:
        """Also of ids that nothing has; or of all that match a filter, one of the server's."""
        if (ids is None) == (filter is None):
            raise InvalidRequestError(
                "delete needs ids or a filter: a gallery is not emptied by leaving them out."
            )
        if filter is not None:
            seq: int | None = self._client.delete_matching(filter).seq
        else:
            seq = self._client.delete_many(ids or [])
        self._seq = max(self._seq, seq or 0)
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        found = self._client.get_many(ids)
        return [_document(entry.id, entry.attributes) for entry in found.values()]

    def similarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        """`filter` is the server's; further arguments are those of `Client.search`."""
        return [document for document, _ in self.similarity_search_with_score(query, k, **kwargs)]

    def similarity_search_with_score(
        self, query: str, k: int = 4, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        return _scored(self._search(query, k, **kwargs))

    def similarity_search_by_vector(
        self, embedding: list[float], k: int = 4, **kwargs: Any
    ) -> list[Document]:
        return [document for document, _ in _scored(self._search_vector(embedding, k, **kwargs))]

    def max_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[Document]:
        vector = self._query_vector(query)
        return self.max_marginal_relevance_search_by_vector(vector, k, fetch_k, lambda_mult, **kwargs)

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        **kwargs: Any,
    ) -> list[Document]:
        """Among the entries of the version that asks: only these vectors lie in one space."""
        asking = self._client.get_model(self._asking()).id
        answer = self._search_vector(embedding, fetch_k, **{"versions": [asking], **kwargs})
        stored = self._client.get_many([hit.id for hit in answer.hits], vector=True)
        hits = [hit for hit in answer.hits if hit.id in stored]
        vectors = [stored[hit.id].vector for hit in hits]
        chosen = maximal_marginal_relevance(np.asarray(embedding), vectors, lambda_mult, k) if hits else []
        return [_document(hits[number].id, hits[number].attributes) for number in chosen]

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict] | None = None,
        *,
        ids: list[str] | None = None,
        client: Client | None = None,
        version: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Of a client, or that of HoldfastEmbeddings."""
        if client is None and isinstance(embedding, HoldfastEmbeddings):
            client = embedding.client
        if client is None:
            raise InvalidRequestError("from_texts needs the client of a server.")
        store = cls(client, embedding, version=version)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        return lambda score: min(max((1 + score) / 2, 0.0), 1.0)

    def _embedded(self, texts: list[str]) -> Embedded:
        if isinstance(self._embedding, HoldfastEmbeddings):
            return self._embedding.embed(texts, to_keep=True)
        return Embedded(normalized(self._embedding.embed_documents(texts)), str(self._version))

    def _asking(self) -> str:
        """The version of queries."""
        if isinstance(self._embedding, HoldfastEmbeddings):
            return self._embedding.model
        return str(self._version)

    def _query_vector(self, query: str) -> list[float]:
        return self._embedding.embed_query(query)

    def _search(self, query: str, k: int, **kwargs: Any) -> SearchAnswer:
        if isinstance(self._embedding, HoldfastEmbeddings):
            return self._client.search(text=query, model=self._asking(), k=k, min_seq=self._seq, **kwargs)
        return self._search_vector(self._query_vector(query), k, **kwargs)

    def _search_vector(self, vector: Sequence[float], k: int, **kwargs: Any) -> SearchAnswer:
        (unit,) = normalized([vector])
        return self._client.search(vector=unit, model=self._asking(), k=k, min_seq=self._seq, **kwargs)


def _scored(answer: SearchAnswer) -> list[tuple[Document, float]]:
    return [(_document(hit.id, hit.attributes), hit.calibrated) for hit in answer.hits]


def _document(identifier: str, attributes: Mapping[str, Any]) -> Document:
    """An entry; the text of one that is an image is empty."""
    metadata = as_metadata(attributes)
    return Document(id=identifier, page_content=str(metadata.pop(TEXT, "")), metadata=metadata)
