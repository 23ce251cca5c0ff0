"""GET /v1/compatibility: of every two versions whether one may search the other's entries, and why not."""

from fastapi import APIRouter, Request, Response

from holdfast.search import compatibility_matrix
from holdfast_serving.http.answers import CompatibilityAnswer
from holdfast_serving.http.auth import require
from holdfast_serving.http.border import BorderRoute
from holdfast_serving.http.routes.common import answer, replica_of

router = APIRouter(
    prefix="/v1/compatibility", tags=["models"], dependencies=[require("read")], route_class=BorderRoute
)


@router.get("", response_model=CompatibilityAnswer)
async def get_compatibility(request: Request) -> Response:
    """The compatibility matrix: every ordered pair of versions, oldest first."""
    replica = replica_of(request)
    pairs = await replica.in_thread(compatibility_matrix, replica.store)
    names = list(dict.fromkeys(pair.query for pair in pairs))
    return answer({"versions": names, "pairs": [pair.as_dict() for pair in pairs]})
