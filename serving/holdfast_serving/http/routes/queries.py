"""Many queries of one search: embedded in batches, recalled together, answered each in its place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from fastapi import Request

from holdfast.base import HoldfastError, InvalidVectorError, TooLargeError, shown
from holdfast.search import Cut, SearchResult
from holdfast_serving.http.api import Query, SearchRequest
from holdfast_serving.http.bodies.body import RejectedError
from holdfast_serving.http.bodies.items import as_vector
from holdfast_serving.http.routes.common import refuse_over, replica_of
from holdfast_serving.http.routes.embedded import SKIPPED, Given, embed, outcomes
from holdfast_serving.replica import Replica

Vectors = dict[int, tuple[str, np.ndarray]]
Failed = dict[int, HoldfastError]


@dataclass(frozen=True, eq=False)
class Answered:
    """By index: the results, and why there is none."""

    results: Mapping[int, SearchResult]
    failed: Failed


async def answer_all(request: Request, body: SearchRequest) -> Answered:
    """Every one of `queries`. Raises the first error, unless what fails is to be skipped."""
    queries = body.queries or []
    replica, skip = replica_of(request), body.on_error == "skip"
    refuse_over(len(queries), replica.config.limits.queries, "queries")
    _check_hits(len(queries) * body.k * body.group_size, replica.config.limits.hits)
    failed: Failed = {at: each for at, each in enumerate(queries) if isinstance(each, RejectedError)}
    whole = {at: each for at, each in enumerate(queries) if isinstance(each, Query)}
    asked = await _embedded(request, body, whole, failed)
    asked |= await _given(replica, body, whole, failed)
    results: dict[int, SearchResult] = {}
    for version in dict.fromkeys(version for version, _ in asked.values()):
        places = sorted(at for at, (made_by, _) in asked.items() if made_by == version)
        vectors = [asked[at][1] for at in places]
        ids = [whole[at].id for at in places]
        try:
            found: Sequence[SearchResult | HoldfastError] = await _search(
                replica, body, version, vectors, ids
            )
        except HoldfastError as error:
            if not skip or error.http_status not in SKIPPED:
                raise
            found = await outcomes(
                _one(replica, body, version, vector, each) for vector, each in zip(vectors, ids, strict=True)
            )
        for at, result in zip(places, found, strict=True):
            if isinstance(result, HoldfastError):
                failed[at] = result
            else:
                results[at] = result
    return Answered(results, failed)


async def _embedded(
    request: Request, body: SearchRequest, queries: Mapping[int, Query], failed: Failed
) -> Vectors:
    """The vectors of images and texts, all of one model in one batch."""
    by_model: dict[str, list[int]] = {}
    for at, query in queries.items():
        if query.picture is not None or query.text is not None:
            by_model.setdefault(query.model or body.model or "live", []).append(at)
    limits = replica_of(request).config.limits
    images = sum(query.picture is not None for query in queries.values())
    refuse_over(images, limits.images, "images")
    found: Vectors = {}
    for model, places in by_model.items():
        items = [_item(at, queries[at]) for at in places]
        try:
            made = await embed(request, items, model, body.user, skip=body.on_error == "skip")
        except HoldfastError as error:
            if body.on_error != "skip" or error.http_status not in SKIPPED:
                raise
            failed.update(dict.fromkeys(places, error))
            continue
        failed.update({places[at]: error for at, error in made.failed.items()})
        found |= {
            places[at]: (made.version, vector) for at, vector in zip(made.indices, made.vectors, strict=True)
        }
    return found


def _item(at: int, query: Query) -> Given:
    if query.text is not None:
        return f"queries[{at}].text", ("text", query.text)
    return f"queries[{at}].image", ("image", query.picture or "")


async def _given(
    replica: Replica, body: SearchRequest, queries: Mapping[int, Query], failed: Failed
) -> Vectors:
    """The vectors that are there already: those of the request, and those of entries."""
    found: Vectors = {}
    for at, query in queries.items():
        if query.vector is None and query.id is None:
            continue
        try:
            found[at] = await vector_of(replica, query, query.model or body.model, f"queries[{at}].")
        except HoldfastError as error:
            if body.on_error != "skip" or error.http_status not in SKIPPED:
                raise
            failed[at] = error
    return found


async def vector_of(
    replica: Replica, query: Query, model: str | None, where: str = ""
) -> tuple[str, np.ndarray]:
    """The version and the vector (d,) of a query by vector or by id."""
    if query.vector is not None:
        if model is None:
            raise InvalidVectorError(f"{where}vector: name in model the version that made it.")
        version = await replica.version(model)
        if len(query.vector) != version.dimension:
            raise InvalidVectorError(
                f"{where}vector: {len(query.vector)} numbers, but {version.name} has {version.dimension} "
                "dimensions."
            )
        return version.name, as_vector(query.vector, f"{where}vector")
    named = None if model is None else await replica.version(model)
    asks, stored = await replica.in_thread(replica.gallery.find, str(query.id), named)
    if named is not None and named.name != asks:
        raise HoldfastError(
            f"{where}model: {asks} embedded the entry {shown(query.id)}, so {named.name} cannot ask with it."
        )
    return asks, stored


async def _search(
    replica: Replica,
    body: SearchRequest,
    version: str,
    vectors: Sequence[np.ndarray],
    ids: Sequence[str | None],
) -> list[SearchResult]:
    versions = None if body.versions is None else [replica.resolve(name) for name in body.versions]
    return await replica.searching.search_many(
        np.stack(vectors), version, body.k, body.filter, versions, ids, body.cascade, cut_of(body)
    )


def cut_of(body: SearchRequest) -> Cut:
    return Cut(body.score_threshold, body.group_by, body.group_size)


async def _one(
    replica: Replica, body: SearchRequest, version: str, vector: np.ndarray, identifier: str | None
) -> SearchResult:
    return (await _search(replica, body, version, [vector], [identifier]))[0]


def _check_hits(wanted: int, limit: int) -> None:
    if wanted > limit:
        raise TooLargeError(
            f"{wanted:,} hits in one search, all queries together; at most {limit:,} are answered."
        )
