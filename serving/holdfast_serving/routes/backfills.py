"""Backfills: the routes exist, so that clients meet a clear answer; the job does not yet."""

from fastapi import APIRouter, Response

from holdfast_serving.auth import require
from holdfast_serving.errors import UnsupportedError

router = APIRouter(prefix="/v1/backfills", tags=["backfills"], dependencies=[require("admin")])

_MESSAGE = "Backfills are not part of this release; entries stay as they are, and searchable."


@router.post("")
async def create_backfill() -> Response:
    """501 in this release."""
    raise UnsupportedError(_MESSAGE)


@router.get("/{backfill_id}")
async def get_backfill(backfill_id: str) -> Response:
    """501 in this release."""
    raise UnsupportedError(_MESSAGE)
