"""The traffic record: which version embeds queries, which one new entries, the canary and the shadow; what is
to change later."""

from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from holdfast.store import FIELDS, ShadowFigures, Step, Traffic, ramp
from holdfast_serving.http.auth import require
from holdfast_serving.http.bodies.traffic import RollbackRequest, ScheduleRequest, TrafficChange
from holdfast_serving.http.border import BorderRoute
from holdfast_serving.http.openapi import fails
from holdfast_serving.http.routes.common import answer, key_name, replica_of
from holdfast_serving.http.traffic_answers import (
    HistoryAnswer,
    ScheduleAnswer,
    ScheduledChange,
    ShadowAnswer,
    TrafficAnswer,
)

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
    traffic = await replica.change_traffic(
        body.expect_epoch,
        _changes(body),
        force=body.force,
        require=body.require,
        note=body.note,
        made_by=_who(request),
    )
    return answer(_content(traffic, replica.applied_epoch))


@router.post("/rollback", dependencies=[require("admin")], response_model=TrafficAnswer, responses=_REFUSALS)
async def roll_back(request: Request, body: RollbackRequest | None = None) -> Response:
    """Back to the previous record that differs, under the same checks. Once more goes one further back: send
    `expect_epoch` with what may be repeated."""
    replica = replica_of(request)
    wish = body or RollbackRequest()
    traffic = await replica.roll_back_traffic(
        wish.expect_epoch, force=wish.force, note=wish.note, made_by=_who(request)
    )
    return answer(_content(traffic, replica.applied_epoch))


@router.get("/shadow", dependencies=[require("read")], response_model=ShadowAnswer)
async def get_shadow(request: Request) -> Response:
    """What the shadow found beside the live version, with 95 % intervals. It begins anew with another live
    version or another shadow."""
    found = await replica_of(request).shadowed()
    content = {
        "live": found and found.live,
        "shadow": found and found.shadow,
        "share": found.share if found else 1.0,
        "since": found.since.created_at.isoformat() if found and found.since.created_at else None,
        "epoch": found and found.since.epoch,
    }
    return answer(content | asdict(found.figures if found else ShadowFigures()))


@router.get("/schedule", dependencies=[require("read")], response_model=ScheduleAnswer)
async def get_schedule(request: Request) -> Response:
    """All scheduled changes, those that were made or could not be as well."""
    replica = replica_of(request)
    found = await replica.in_thread(replica.store.schedules.all)
    return answer({"scheduled": [each.as_dict() for each in found]})


@router.post(
    "/schedule",
    dependencies=[require("admin")],
    status_code=201,
    response_model=ScheduleAnswer,
    responses=fails(403, 404),
)
async def schedule_change(request: Request, body: ScheduleRequest) -> Response:
    """Change the traffic at a moment, under the checks that a change has to pass then. Answers what was
    scheduled: one change, or the steps of a ramp."""
    replica = replica_of(request)
    changes = _changes(body)
    if body.force:
        changes["force"] = True
    if body.require is not None:
        changes["require"] = body.require.model_dump(exclude_none=True)
    steps = [Step(body.at, changes)]
    if body.ramp is not None:
        steps = ramp(body.at, str(body.canary_version), body.ramp.shares, body.ramp.every_seconds, changes)
    add = partial(replica.store.schedules.add, why=body.why, made_by=_who(request))
    made = await replica.in_thread(add, steps)
    return answer({"scheduled": [each.as_dict() for each in made]}, 201)


@router.delete(
    "/schedule/{schedule_id}",
    dependencies=[require("admin")],
    response_model=ScheduledChange,
    responses=_REFUSALS,
)
async def cancel_scheduled(request: Request, schedule_id: str) -> Response:
    """Take a change back that waits, and those after it in its series; it stays in the list."""
    replica = replica_of(request)
    return answer((await replica.in_thread(replica.store.schedules.cancel, schedule_id)).as_dict())


def _changes(body: TrafficChange | ScheduleRequest) -> dict[str, Any]:
    """Of the record, what a body names."""
    changes = {name: getattr(body, name) for name in body.model_fields_set if name in FIELDS}
    # A version can be taken away by null, these cannot.
    for name in ("canary_share", "canary_keys", "shadow_share"):
        if changes.get(name, ()) is None:
            del changes[name]
    return changes


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
        "shadow_version": traffic.shadow_version,
        "shadow_share": traffic.shadow_share,
        "forced": traffic.forced,
        "note": traffic.note,
        "made_by": traffic.made_by,
        "created_at": traffic.created_at.isoformat() if traffic.created_at else None,
    }
