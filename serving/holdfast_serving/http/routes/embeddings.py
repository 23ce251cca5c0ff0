"""POST /v1/embeddings, in OpenAI's shape, Jina's and vLLM's."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response

from holdfast_serving.http.answers import EmbeddingsAnswer
from holdfast_serving.http.auth import require
from holdfast_serving.http.bodies.embeddings import EmbeddingsRequest
from holdfast_serving.http.bodies.encodings import as_rows
from holdfast_serving.http.bodies.forms import as_array, as_table, check_form, form_of
from holdfast_serving.http.bodies.uploads import UploadRoute
from holdfast_serving.http.openapi import fails, takes_uploads, vectors_in_forms
from holdfast_serving.http.routes.common import answer
from holdfast_serving.http.routes.embedded import embed, failures

router = APIRouter(tags=["embeddings"], dependencies=[require("read")], route_class=UploadRoute)


@router.post(
    "/v1/embeddings",
    response_model=EmbeddingsAnswer,
    responses=fails(404) | vectors_in_forms(),
    openapi_extra=takes_uploads(EmbeddingsRequest),
)
async def create_embeddings(request: Request, body: EmbeddingsRequest) -> Response:
    """Embeds images and texts; `model` in the answer and `X-Model-Version` say which version did.

    Plain strings are what `modality` says; items `{"image": ...}`, `{"image_url": {"url": ...}}` and
    `{"text": ...}` say it themselves. With `dimensions` the vectors are cut to a length that was measured
    of the version; `cut` and `X-Cut` say what that costs.
    """
    form = form_of(request)
    if form != "json":
        check_form(form, body.on_error)
    made = await embed(
        request,
        body.contents(),
        body.model,
        body.user,
        dimensions=body.dimensions,
        purpose=body.purpose,
        skip=body.on_error == "skip",
    )
    if form == "npy":
        return as_array(made.vectors, body.encoding, made.headers)
    if form == "arrow":
        return as_table(made.vectors, made.indices, body.encoding, made.version, made.headers)
    content: dict[str, Any] = {
        "object": "list",
        "model": made.version,
        "data": [
            {"object": "embedding", "index": index, "embedding": row}
            for index, row in zip(made.indices, as_rows(made.vectors, body.encoding), strict=True)
        ],
        "usage": {"prompt_tokens": 0, "total_tokens": 0},
    }
    if made.cut is not None:
        content["cut"] = asdict(made.cut)
    if made.failed:
        content["errors"] = failures(made.failed)
    return answer(content, headers=made.headers)
