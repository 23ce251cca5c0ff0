"""Backfills: start, watch, pause, resume, cancel. The writer's process does the work."""

from collections.abc import Callable

from fastapi import APIRouter, Request, Response

from holdfast.backfill import Backfill, Backfills, require_sources
from holdfast_serving.http.answers import BackfillAnswer, BackfillsAnswer
from holdfast_serving.http.api import BackfillRequest
from holdfast_serving.http.auth import require
from holdfast_serving.http.border import BorderRoute
from holdfast_serving.http.openapi import fails
from holdfast_serving.http.routes.common import answer, replica_of

router = APIRouter(prefix="/v1/backfills", tags=["backfills"], route_class=BorderRoute)
_LINKS = {
    name: {"operationId": f"{name}_backfill", "parameters": {"backfill_id": "$response.body#/id"}}
    for name in ("get", "pause", "resume", "cancel")
}


@router.post(
    "",
    dependencies=[require("admin")],
    status_code=201,
    response_model=BackfillAnswer,
    responses=fails(403, 404, 409) | {201: {"links": _LINKS}},
)
async def create_backfill(request: Request, body: BackfillRequest) -> Response:
    """201 with the new backfill; 409 if it would put entries out of reach, 422 if there is nothing to do or
    no image may be read."""
    replica = replica_of(request)
    require_sources(body.kind, replica.config.sources)
    made = await replica.in_thread(
        Backfills(replica.store).create,
        body.target,
        body.kind,
        body.sources,
        order=body.order,
        batch_size=body.batch_size,
        pace=body.pace,
        workers=body.workers,
        force=body.force,
    )
    return answer(made.as_dict(), 201)


@router.get("", dependencies=[require("read")], response_model=BackfillsAnswer)
async def list_backfills(request: Request) -> Response:
    """All backfills, oldest first."""
    replica = replica_of(request)
    found = await replica.in_thread(Backfills(replica.store).list)
    return answer({"backfills": [each.as_dict() for each in found]})


@router.get(
    "/{backfill_id}", dependencies=[require("read")], response_model=BackfillAnswer, responses=fails(404)
)
async def get_backfill(request: Request, backfill_id: str) -> Response:
    """One backfill, with its progress."""
    return await _one(request, Backfills.get, backfill_id)


@router.post(
    "/{backfill_id}/pause",
    dependencies=[require("admin")],
    response_model=BackfillAnswer,
    responses=fails(403, 404, 409),
)
async def pause_backfill(request: Request, backfill_id: str) -> Response:
    """Once this is answered no entry is moved any more."""
    return await _one(request, Backfills.pause, backfill_id)


@router.post(
    "/{backfill_id}/resume",
    dependencies=[require("admin")],
    response_model=BackfillAnswer,
    responses=fails(403, 404, 409),
)
async def resume_backfill(request: Request, backfill_id: str) -> Response:
    """Goes on where it was; one that failed tries again."""
    return await _one(request, Backfills.resume, backfill_id)


@router.post(
    "/{backfill_id}/cancel",
    dependencies=[require("admin")],
    response_model=BackfillAnswer,
    responses=fails(403, 404, 409),
)
async def cancel_backfill(request: Request, backfill_id: str) -> Response:
    """Ends it; entries that were moved stay moved."""
    return await _one(request, Backfills.cancel, backfill_id)


async def _one(request: Request, ask: Callable[[Backfills, str], Backfill], name: str) -> Response:
    replica = replica_of(request)
    return answer((await replica.in_thread(ask, Backfills(replica.store), name)).as_dict())
