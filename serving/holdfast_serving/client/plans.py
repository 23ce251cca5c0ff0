"""What takes more than one request: generators that yield calls and are sent the answers, so that the client
that waits and the one that awaits share them."""

import base64
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np

from holdfast_serving.client.answers import (
    DeletedManyAnswer,
    EmbeddingsAnswer,
    EntryAnswer,
    Failure,
    LookupAnswer,
    PageAnswer,
    SearchAnswer,
    SearchesAnswer,
)
from holdfast_serving.client.calls import Call
from holdfast_serving.client.inputs import UNSET, Image, Unset
from holdfast_serving.client.requests import Query

T = TypeVar("T")
Plan: TypeAlias = Generator[Call, Any, T]
IMAGES, TEXTS, VECTORS = 64, 256, 1000
"""What a server takes in one request, by default."""
PAGE = 500


@dataclass(frozen=True)
class Embedded:
    """What a version embedded.

    Attributes:
        vectors: float32 (n, d) of unit norm, in the order of what was given.
        version: that made them; empty where nothing was given.
    """

    vectors: np.ndarray
    version: str


@dataclass(frozen=True)
class Deleted:
    """How many entries went, and the number of the last write. One whose request was sent twice, because the
    answer was lost, may not be counted."""

    count: int
    seq: int


def embed(
    items: Iterable[Image], modality: Literal["image", "text"], model: str, user: str | Unset = UNSET
) -> Plan[Embedded]:
    """All by one version: that of the first answer, whatever becomes of an alias meanwhile."""
    vectors: list[np.ndarray] = []
    version = ""
    count = IMAGES if modality == "image" else TEXTS
    for batch in chunks(items, count):
        answer = yield Call(
            "POST",
            "/v1/embeddings",
            EmbeddingsAnswer,
            {
                "input": batch,
                "model": version or model,
                "modality": modality,
                "encoding_format": "base64",
                "user": user,
            },
            repeatable=True,
        )
        version = answer.model
        vectors += [np.frombuffer(base64.b64decode(row.embedding), np.float32) for row in answer.data]
    return Embedded(np.stack(vectors) if vectors else np.empty((0, 0), np.float32), version)


def search(queries: Iterable[Query], shared: Mapping[str, Any]) -> Plan[SearchesAnswer]:
    """Each query's answer in its place; `shared` is what holds for all of them."""
    results: list[SearchAnswer | None] = []
    failed: list[Failure] = []
    for some in chunks(queries, IMAGES):
        body = {"queries": some, **shared}
        answer = yield Call("POST", "/v1/search", SearchesAnswer, body, repeatable=True)
        failed += [moved(each, len(results)) for each in answer.errors or ()]
        results += answer.results
    return SearchesAnswer(results=results, errors=failed or None)


def moved(failure: Failure, by: int) -> Failure:
    """The same, where its request was a part of more, and this many came before it."""
    return failure.model_copy(update={"index": failure.index + by})


def look_up(ids: Iterable[str], vector: bool = False) -> Plan[dict[str, EntryAnswer]]:
    """The entries that there are, by their ids, in the order asked for."""
    found: dict[str, EntryAnswer] = {}
    for some in chunks(ids, VECTORS):
        body = {"ids": some, "vector": vector}
        answer = yield Call("POST", "/v1/gallery/entries/lookup", LookupAnswer, body, repeatable=True)
        by_id = {entry.id: entry for entry in answer.entries}
        found |= {identifier: by_id[identifier] for identifier in some if identifier in by_id}
    return found


def delete(ids: Iterable[str]) -> Plan[int | None]:
    """The number of the last write, after which none of them is there; None where no id was given."""
    seq: int | None = None
    for some in chunks(ids, VECTORS):
        answer = yield Call(
            "POST", "/v1/gallery/entries/delete", DeletedManyAnswer, {"ids": some}, repeatable=True
        )
        seq = answer.seq
    return seq


def delete_matching(filter: Mapping[str, Any], versions: Sequence[str] | Unset = UNSET) -> Plan[Deleted]:
    """All that match, in as many requests as it takes."""
    count, seq, more = 0, 0, True
    while more:
        answer = yield Call(
            "POST",
            "/v1/gallery/entries/delete",
            DeletedManyAnswer,
            {"filter": filter, "versions": versions},
            repeatable=True,
        )
        count, seq, more = count + answer.count, answer.seq, answer.more
    return Deleted(count, seq)


def page(
    after: str | None,
    filter: Mapping[str, Any] | Unset,
    versions: Sequence[str] | Unset,
    attributes: bool | Sequence[str],
    vector: bool,
    limit: int,
) -> Call[PageAnswer]:
    """One page of entries."""
    body = {
        "after": after,
        "filter": filter,
        "versions": versions,
        "attributes": attributes,
        "vector": vector,
        "limit": limit,
    }
    return Call("POST", "/v1/gallery/entries/list", PageAnswer, body, repeatable=True)


def chunks(items: Iterable[T], count: int) -> Iterator[list[T]]:
    """Lists of `count` items; the last one may be shorter."""
    chunk: list[T] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == count:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
