"""POST /v1/search: by image, by text, by vector, or by the id of an entry."""

import time

import numpy as np
from fastapi import APIRouter, Request, Response
from starlette.background import BackgroundTask

from holdfast.base import HoldfastError, InvalidVectorError, shown
from holdfast.search import WHOLE, Cut
from holdfast_serving.http.answers import SearchAnswer
from holdfast_serving.http.api import SearchRequest
from holdfast_serving.http.auth import require
from holdfast_serving.http.border import BorderRoute
from holdfast_serving.http.openapi import fails
from holdfast_serving.http.routes.common import (
    answer,
    check_words,
    key_name,
    remember_version,
    replica_of,
    sticky_text,
)
from holdfast_serving.http.routes.gallery import as_vector
from holdfast_serving.replica import Asked, Replica

router = APIRouter(tags=["search"], dependencies=[require("read")], route_class=BorderRoute)


@router.post("/v1/search", response_model=SearchAnswer, responses=fails(404, 409))
async def search(request: Request, body: SearchRequest) -> Response:
    """The nearest entries, ranked by `calibrated`; `score` is the inner product as it is. Entries of versions
    that the query version may not search are left out, and `excluded` counts them; 409 when nothing is left,
    or when `versions` names one of them. A search by id leaves the entry itself out.

    In a cascade the best entries are ranked by their images, as far as the server's budget reaches: `cascade`
    counts what became of them, and `ranked_by` says by which vector each hit got its place."""
    replica = replica_of(request)
    limit = replica.config.limits.k
    if body.k > limit:
        raise HoldfastError(f"k: {body.k:,} is more than the {limit:,} that one search answers.")
    if body.min_seq is not None:
        await replica.wait_for(body.min_seq)
    begun = time.perf_counter()
    version, vector = await _query(replica, body, sticky_text(request, body.user), key_name(request))
    remember_version(request, version)
    versions = None if body.versions is None else [replica.resolve(name) for name in body.versions]
    cut = Cut(body.score_threshold, body.group_by, body.group_size)
    result = await replica.search(vector, version, body.k, body.filter, versions, body.id, body.cascade, cut)
    seconds = time.perf_counter() - begun
    response = answer(result.as_dict(body.attributes), version=result.query_version)
    if not replica.shadow.watches(version):
        return response
    asked = Asked(
        image=body.image,
        text=body.text,
        entry=body.id,
        k=body.k,
        filter=body.filter,
        versions=versions,
        relevant=None if body.relevant is None else frozenset(body.relevant),
        hits=result.hits,
        seconds=seconds,
        # A part of a ranking is not compared with a whole one.
        whole=cut == WHOLE,
    )
    # Once the answer is sent.
    response.background = BackgroundTask(replica.shadow.offer, version, asked)
    return response


async def _query(
    replica: Replica, body: SearchRequest, sticky: str | None, key: str
) -> tuple[str, np.ndarray]:
    """The version that asks and its vector (d,)."""
    if body.image is not None:
        embedder = await replica.embedder(body.model or "live", sticky, key)
        vectors = await embedder.embed([body.image], ["image"])
        return embedder.version, vectors[0]
    if body.text is not None:
        check_words(body.text, "text", replica.config.limits)
        embedder = await replica.embedder(body.model or "live", sticky, key)
        return embedder.version, (await embedder.embed_text([body.text]))[0]
    if body.vector is not None:
        version = await replica.version(str(body.model))
        if len(body.vector) != version.dimension:
            raise InvalidVectorError(
                f"vector: {len(body.vector)} numbers, but {version.name} has {version.dimension} dimensions."
            )
        return version.name, as_vector(body.vector, "vector")
    named = None if body.model is None else await replica.version(body.model)
    asks, stored = await replica.in_thread(replica.gallery.find, str(body.id), named)
    if named is not None and named.name != asks:
        raise HoldfastError(
            f"model: {asks} embedded the entry {shown(body.id)}, so {named.name} cannot ask with it."
        )
    return asks, stored
