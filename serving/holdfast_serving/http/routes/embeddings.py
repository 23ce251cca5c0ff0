"""POST /v1/embeddings, in OpenAI's shape."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response

from holdfast.base import HoldfastError
from holdfast_serving.http.answers import EmbeddingsAnswer
from holdfast_serving.http.api import EmbeddingsRequest
from holdfast_serving.http.auth import require
from holdfast_serving.http.border import BorderRoute
from holdfast_serving.http.openapi import fails
from holdfast_serving.http.routes.common import (
    answer,
    check_words,
    key_name,
    refuse_over,
    remember_version,
    replica_of,
    sticky_text,
)
from holdfast_serving.replica import Embedder, to_base64

router = APIRouter(tags=["embeddings"], dependencies=[require("read")], route_class=BorderRoute)


@router.post("/v1/embeddings", response_model=EmbeddingsAnswer, responses=fails(404))
async def create_embeddings(request: Request, body: EmbeddingsRequest) -> Response:
    """Embeds images and texts; `model` in the answer and `X-Model-Version` say which version did.

    Plain strings are what `modality` says; items `{"image": ...}` and `{"text": ...}` say it themselves.
    """
    replica = replica_of(request)
    limits = replica.config.limits
    items = body.items()
    names = [f"input[{index}]" for index in range(len(items))] if isinstance(body.input, list) else ["input"]
    texts = [(text, name) for (modality, text), name in zip(items, names, strict=True) if modality == "text"]
    refuse_over(len(items) - len(texts), limits.images, "images")
    refuse_over(len(texts), limits.texts, "texts")
    for text, name in texts:
        check_words(text, name, limits)
    embedder = await replica.embedder(body.model, sticky_text(request, body.user), key_name(request))
    remember_version(request, embedder.version)
    if body.dimensions is not None and body.dimensions != embedder.dimension:
        raise HoldfastError(
            f"dimensions: {embedder.version} has {embedder.dimension} and cannot be cut to {body.dimensions}."
        )
    vectors = await _embed(embedder, items, names)
    rows: list[Any] = (
        [to_base64(vector) for vector in vectors] if body.encoding_format == "base64" else vectors.tolist()
    )
    return answer(
        {
            "object": "list",
            "model": embedder.version,
            "data": [
                {"object": "embedding", "index": index, "embedding": row} for index, row in enumerate(rows)
            ],
            "usage": {"prompt_tokens": 0, "total_tokens": 0},
        },
        version=embedder.version,
    )


async def _embed(embedder: Embedder, items: Sequence[tuple[str, str]], names: Sequence[str]) -> np.ndarray:
    """float32 (n, d), in the order of the items."""
    images = [index for index, (modality, _) in enumerate(items) if modality == "image"]
    texts = [index for index, (modality, _) in enumerate(items) if modality == "text"]
    vectors = np.empty((len(items), embedder.dimension), np.float32)
    if images:
        vectors[images] = await embedder.embed(
            [items[index][1] for index in images], [names[index] for index in images]
        )
    if texts:
        vectors[texts] = await embedder.embed_text([items[index][1] for index in texts])
    return vectors
