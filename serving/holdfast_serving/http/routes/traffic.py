"""The traffic record: which version embeds queries, which one new entries, and the canary's share."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from holdfast.store import Traffic
from holdfast_serving.http.answers import HistoryAnswer, TrafficAnswer
from holdfast_serving.http.api import RollbackRequest, TrafficChange
from holdfast_serving.http.auth import require
from holdfast_serving.http.border import BorderRoute
from holdfast_serving.http.openapi import fails
from holdfast_serving.http.routes.common import answer, key_name, replica_of

router = APIRouter(prefix="/v1/traffic", tags=["traffic"], route_class=BorderRoute)
Limit = Annotated[int, Query(ge=1, le=1000)]
_REFUSALS = fails(403, 404, 409)


@router.get("", dependencies=[require("read")], response_model=TrafficAnswer)
async def get_traffic(request: Request) -> Response:
    """The newest record, and the epoch that this replica follows already."""
    replica = replica_of(request)
    return answer(_content(await replica.current_traffic(), replica.applied_epoch))


@router.get("/history", dependencies=[require("read")], response_model=HistoryAnswer)
async def get_history(request: Request, limit: Limit = 100) -> Response:
    """The newest records, newest first: who changed what, when and why. A record says how things were from
    then on; what it changed is the difference to the one before it."""
    replica = replica_of(request)
    records = await replica.in_thread(replica.store.traffic.history)
    newest = records[::-1][:limit]
    return answer({"total": len(records), "records": [_record(each) for each in newest]})


@router.put("", dependencies=[require("admin")], response_model=TrafficAnswer, responses=_REFUSALS)
async def change_traffic(request: Request, body: TrafficChange) -> Response:
    """Compare-and-swap on the epoch: 409 when the record has moved on, or versions are not compatible."""
    replica = replica_of(request)
    named = body.model_dump(
        include={"query_version", "write_version", "canary_version", "canary_share", "canary_keys"}
    )
    changes = {name: named[name] for name in body.model_fields_set if name in named}
    for name, empty in (("canary_share", 0.0), ("canary_keys", ())):
        if changes.get(name, empty) is None:  # a version can be taken away, these cannot
            del changes[name]
    traffic = await replica.change_traffic(
        body.expect_epoch, changes, force=body.force, note=body.note, made_by=_who(request)
    )
    return answer(_content(traffic, replica.applied_epoch))


@router.post("/rollback", dependencies=[require("admin")], response_model=TrafficAnswer, responses=_REFUSALS)
async def roll_back(request: Request, body: RollbackRequest | None = None) -> Response:
    """Back to the previous record that differs, under the same checks. Once more goes one further back: send
    `expect_epoch` with what may be repeated."""
    replica = replica_of(request)
    wish = body or RollbackRequest()
    traffic = await replica.roll_back_traffic(wish.expect_epoch, force=wish.force, made_by=_who(request))
    return answer(_content(traffic, replica.applied_epoch))


def _who(request: Request) -> str:
    """The name of the key, for the record."""
    return f"key {key_name(request)}"


def _content(traffic: Traffic, applied_epoch: int) -> dict[str, Any]:
    return {"applied_epoch": applied_epoch, **_record(traffic)}


def _record(traffic: Traffic) -> dict[str, Any]:
    return {
        "epoch": traffic.epoch,
        "query_version": traffic.query_version,
        "write_version": traffic.write_version,
        "canary_version": traffic.canary_version,
        "canary_share": traffic.canary_share,
        "canary_keys": list(traffic.canary_keys),
        "forced": traffic.forced,
        "note": traffic.note,
        "made_by": traffic.made_by,
        "created_at": traffic.created_at.isoformat() if traffic.created_at else None,
    }
