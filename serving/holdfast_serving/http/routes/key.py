"""GET /v1/key: what the server knows of the key that asks."""

from fastapi import APIRouter, Request, Response

from holdfast_serving.http.answers import KeyAnswer
from holdfast_serving.http.auth import require
from holdfast_serving.http.border import BorderRoute
from holdfast_serving.http.routes.common import answer

router = APIRouter(prefix="/v1/key", tags=["keys"], dependencies=[require("read")], route_class=BorderRoute)


@router.get("", response_model=KeyAnswer)
async def get_key(request: Request) -> Response:
    """The name of the key that asks, its role, and its end if it has one; never the key."""
    key = request.scope["state"]["key"]
    ends = None if key.expires_at is None else key.expires_at.isoformat()
    return answer({"name": key.name, "role": key.role, "expires_at": ends})
