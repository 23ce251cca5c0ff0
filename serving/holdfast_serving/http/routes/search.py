"""POST /v1/search: by image, by text, by vector, or by the id of an entry."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response
from starlette.background import BackgroundTask

from holdfast.base import HoldfastError
from holdfast.search import WHOLE, SearchResult
from holdfast_serving.http.answers import SearchAnswer, SearchesAnswer
from holdfast_serving.http.api import Query, SearchRequest
from holdfast_serving.http.auth import require
from holdfast_serving.http.bodies.uploads import UploadRoute
from holdfast_serving.http.openapi import fails, takes_uploads
from holdfast_serving.http.routes.common import (
    answer,
    check_words,
    key_name,
    remember_version,
    replica_of,
    sticky_text,
)
from holdfast_serving.http.routes.embedded import failures
from holdfast_serving.http.routes.queries import Answered, answer_all, cut_of, vector_of
from holdfast_serving.replica import Asked, Replica

router = APIRouter(tags=["search"], dependencies=[require("read")], route_class=UploadRoute)


@router.post(
    "/v1/search",
    response_model=SearchAnswer | SearchesAnswer,
    responses=fails(404, 409),
    openapi_extra=takes_uploads(SearchRequest),
)
async def search(request: Request, body: SearchRequest) -> Response:
    """The nearest entries, ranked by `calibrated`; `score` is the inner product as it is. Entries of versions
    that the query version may not search are left out, and `excluded` counts them; 409 when nothing is left,
    or when `versions` names one of them. A search by id leaves the entry itself out.

    Many `queries` are answered together, each by a result of its own in `results`, in their order; null where
    one failed that was to be skipped.

    In a cascade the best entries are ranked by their images, as far as the server's budget reaches: `cascade`
    counts what became of them, and `ranked_by` says by which vector each hit got its place."""
    replica = replica_of(request)
    limit = replica.config.limits.k
    if body.k > limit:
        raise HoldfastError(f"k: {body.k:,} is more than the {limit:,} that one search answers.")
    if body.min_seq is not None:
        await replica.wait_for(body.min_seq)
    if body.queries is not None:
        return _all(body, await answer_all(request, body), request)
    begun = time.perf_counter()
    version, vector = await _query(replica, body, sticky_text(request, body.user), key_name(request))
    remember_version(request, version)
    versions = None if body.versions is None else [replica.resolve(name) for name in body.versions]
    cut = cut_of(body)
    result = await replica.searching.search(
        vector, version, body.k, body.filter, versions, body.id, body.cascade, cut
    )
    seconds = time.perf_counter() - begun
    response = answer(result.as_dict(body.attributes), version=result.query_version)
    _show_to_shadow(replica, response, body, [(body, result)], seconds)
    return response


def _show_to_shadow(
    replica: Replica,
    response: Response,
    body: SearchRequest,
    answered: Sequence[tuple[Query, SearchResult]],
    seconds: float | None,
) -> None:
    """Hand over what the live version has answered, once the answer is sent."""
    watched = [each for each in answered if replica.shadow.watches(each[1].query_version)]
    if not watched:
        return
    versions = None if body.versions is None else [replica.resolve(name) for name in body.versions]
    relevant = None if body.relevant is None else frozenset(body.relevant)
    # A part of a ranking is not compared with a whole one.
    whole = cut_of(body) == WHOLE
    asked = [
        Asked(
            version=result.query_version,
            image=query.picture,
            text=query.text,
            entry=query.id,
            k=body.k,
            filter=body.filter,
            versions=versions,
            relevant=relevant,
            hits=result.hits,
            seconds=seconds,
            whole=whole,
        )
        for query, result in watched
    ]
    response.background = BackgroundTask(replica.shadow.offer, *asked)


def _all(body: SearchRequest, answered: Answered, request: Request) -> Response:
    queries = body.queries or []
    results = [answered.results.get(at) for at in range(len(queries))]
    content: dict[str, Any] = {
        "results": [None if result is None else result.as_dict(body.attributes) for result in results]
    }
    if answered.failed:
        content["errors"] = failures(answered.failed)
    asked = {result.query_version for result in results if result is not None}
    version = asked.pop() if len(asked) == 1 else None
    if version is not None:
        remember_version(request, version)
    response = answer(content, version=version)
    pairs = [
        (query, answered.results[at])
        for at, query in enumerate(queries)
        if isinstance(query, Query) and at in answered.results
    ]
    _show_to_shadow(replica_of(request), response, body, pairs, None)
    return response


async def _query(
    replica: Replica, body: SearchRequest, sticky: str | None, key: str
) -> tuple[str, np.ndarray]:
    """The version that asks and its vector (d,)."""
    if (picture := body.picture) is not None:
        embedder = await replica.embedder(body.model or "live", sticky, key)
        vectors = await embedder.embed([picture], ["image"])
        return embedder.version, vectors[0]
    if body.text is not None:
        check_words(body.text, "text", replica.config.limits)
        embedder = await replica.embedder(body.model or "live", sticky, key)
        return embedder.version, (await embedder.embed_text([body.text]))[0]
    return await vector_of(replica, body, body.model)
