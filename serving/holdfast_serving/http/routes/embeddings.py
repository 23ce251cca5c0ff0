"""POST /v1/embeddings, in OpenAI's shape."""

from typing import Any

from fastapi import APIRouter, Request, Response

from holdfast.base import HoldfastError
from holdfast_serving.http.answers import EmbeddingsAnswer
from holdfast_serving.http.api import EmbeddingsRequest
from holdfast_serving.http.auth import require
from holdfast_serving.http.border import BorderRoute
from holdfast_serving.http.openapi import fails
from holdfast_serving.http.routes.common import answer, refuse_over, remember_version, replica_of, sticky_text
from holdfast_serving.replica import to_base64

router = APIRouter(tags=["embeddings"], dependencies=[require("read")], route_class=BorderRoute)


@router.post("/v1/embeddings", response_model=EmbeddingsAnswer, responses=fails(404))
async def create_embeddings(request: Request, body: EmbeddingsRequest) -> Response:
    """Embeds images; `model` in the answer and `X-Model-Version` say which version made the vectors."""
    replica = replica_of(request)
    images = body.images()
    refuse_over(len(images), replica.config.limits.images, "images")
    embedder = await replica.embedder(body.model, sticky_text(request, body.user))
    remember_version(request, embedder.version)
    if body.dimensions is not None and body.dimensions != embedder.dimension:
        raise HoldfastError(
            f"dimensions: {embedder.version} has {embedder.dimension} and cannot be cut to {body.dimensions}."
        )
    names = ["input"] if isinstance(body.input, str) else [f"input[{index}]" for index in range(len(images))]
    vectors = await embedder.embed(images, names)
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
