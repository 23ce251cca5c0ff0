"""/v1/models: the published versions, in OpenAI's shapes plus what only Holdfast knows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from holdfast.base import hide_secrets
from holdfast.store import Compatibility, Store, Version, version_summary
from holdfast_serving.http.answers import ModelAnswer, ModelsAnswer, RetiredAnswer
from holdfast_serving.http.auth import require
from holdfast_serving.http.border import BorderRoute
from holdfast_serving.http.openapi import fails
from holdfast_serving.http.routes.common import answer, replica_of

router = APIRouter(
    prefix="/v1/models", tags=["models"], dependencies=[require("read")], route_class=BorderRoute
)


@router.get("", response_model=ModelsAnswer)
async def list_models(request: Request) -> Response:
    """All versions, oldest first."""
    replica = replica_of(request)
    return answer(await replica.in_thread(_list, replica.store, replica.faults))


@router.get("/{version}", response_model=ModelAnswer, responses=fails(404))
async def get_model(request: Request, version: str) -> Response:
    """One version by name or alias: contract, lineage, aliases, measured compatibility, training metrics."""
    replica = replica_of(request)
    return answer(await replica.in_thread(_one, replica.store, version, replica.faults))


@router.delete(
    "/{version}",
    dependencies=[require("admin")],
    response_model=RetiredAnswer,
    responses=fails(404, 409),
)
async def retire_model(request: Request, version: str) -> Response:
    """Take a version out of use for good, and remove its weights; its name is never given again. Refused
    while traffic, entries, projections, runs or backfills need it."""
    replica = replica_of(request)
    retired = await replica.in_thread(replica.store.versions.retire, version)
    assert retired.retired_at is not None
    moment = retired.retired_at.isoformat()
    return answer({"id": retired.name, "object": "model", "deleted": True, "retired_at": moment})


def _list(store: Store, faults: Mapping[str, str]) -> dict[str, Any]:
    aliases = store.traffic.aliases()
    measured, versions = store.compatibility.list(), store.versions.list()
    spaces = _spaces(versions)
    return {
        "object": "list",
        "data": [_summary(version, aliases, measured, spaces, faults) for version in versions],
    }


def _one(store: Store, name: str, faults: Mapping[str, str]) -> dict[str, Any]:
    version = store.versions.get(name)
    by_name = {other.name: other for other in store.versions.list()}
    lineage: list[str] = []
    parent = version.parent
    while parent is not None:
        lineage.append(parent)
        # What it learned from may have been retired.
        parent = by_name[parent].parent if parent in by_name else None
    return {
        **_summary(
            version, store.traffic.aliases(), store.compatibility.list(), _spaces(by_name.values()), faults
        ),
        "lineage": lineage,
        "contract_body": version.contract_body,
        "data_fingerprint": version.data_fingerprint,
        "metrics": version.metrics,
        "experiment": hide_secrets(version.experiment),
    }


def _spaces(versions: Iterable[Version]) -> dict[str, str]:
    return {version.name: version.space for version in versions}


def _summary(
    version: Version,
    aliases: Mapping[str, str],
    measured: Sequence[Compatibility],
    spaces: Mapping[str, str],
    faults: Mapping[str, str],
) -> dict[str, Any]:
    summary = version_summary(version, aliases, measured, spaces)
    return {"object": "model", "owned_by": "holdfast", **summary, "fault": faults.get(version.name)}
