"""POST /v2/embed, for clients of Cohere."""

from fastapi import APIRouter, Request, Response

from holdfast_serving.http.answers import CohereAnswer
from holdfast_serving.http.auth import require
from holdfast_serving.http.bodies.cohere import CohereRequest
from holdfast_serving.http.border import BorderRoute
from holdfast_serving.http.errors import request_id_of
from holdfast_serving.http.openapi import fails
from holdfast_serving.http.routes.common import answer
from holdfast_serving.http.routes.embedded import embed

router = APIRouter(tags=["embeddings"], dependencies=[require("read")], route_class=BorderRoute)


@router.post(
    "/v2/embed", response_model=CohereAnswer, responses=fails(404), openapi_extra={"x-foreign": True}
)
async def embed_as_cohere(request: Request, body: CohereRequest) -> Response:
    """Embeds images and texts in Cohere's shape; `X-Model-Version` says which version did, and `X-Cut`
    what a cut to `output_dimension` costs."""
    made = await embed(
        request,
        body.contents(),
        body.model,
        None,
        dimensions=body.output_dimension,
        purpose=body.purpose,
    )
    return answer(body.answer(made.vectors, request_id_of(request.scope)), headers=made.headers)
