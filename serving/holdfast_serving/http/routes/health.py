"""Health and metrics: never behind the key, never refused for load."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from holdfast_serving.http.answers import AliveAnswer, ReadyAnswer
from holdfast_serving.http.border import BorderRoute
from holdfast_serving.http.routes.common import answer, replica_of

router = APIRouter(tags=["health"], route_class=BorderRoute)


@router.get("/livez", response_model=AliveAnswer)
async def livez() -> Response:
    """The process answers."""
    return answer({"alive": True})


@router.get("/readyz", response_model=ReadyAnswer, responses={503: {"model": ReadyAnswer}})
async def readyz(request: Request) -> Response:
    """200 once the live version is loaded and the index has caught up; 503 with the reason before.

    `away` names what the server has to do without, and goes on without: the `database` (searches are answered
    from memory, writes with 503), the `writer` (writes with 503). `faults` are versions whose model does not
    answer, or has become another one since it was adopted: they are refused, and everything else is answered.
    """
    replica = replica_of(request)
    missing, loaded = replica.missing(), replica.versions.embedders
    content = {
        "ready": missing is None,
        "reason": missing,
        "seq": replica.applied_seq,
        "away": replica.away(),
        # In a word: who asks here has no key.
        "faults": {each.version: each.health.code for each in loaded if each.health.code},
    }
    response = answer(content, 200 if missing is None else 503)
    if missing is not None:
        response.headers["Retry-After"] = "1"
    return response


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Prometheus text, of the replica that answers."""
    replica = replica_of(request)
    replica.metrics.show_away(replica.away())
    replica.metrics.show_health({each.version: not each.health.fault for each in replica.versions.embedders})
    return Response(generate_latest(replica.metrics.registry), media_type=CONTENT_TYPE_LATEST)
