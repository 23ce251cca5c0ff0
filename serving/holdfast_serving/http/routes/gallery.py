"""The gallery's entries: get, delete, and the state of the whole. Writing them is in `writing`."""

import time
from typing import Any

from fastapi import APIRouter, Request, Response

from holdfast.base import chosen
from holdfast.entries import DELETED, Delete, DeleteMatching, Entry, Matching
from holdfast.filters import parse_filter
from holdfast_serving.http.answers import (
    CountAnswer,
    DeletedAnswer,
    DeletedManyAnswer,
    EntryAnswer,
    GalleryAnswer,
    LookupAnswer,
    PageAnswer,
    VerifiedAnswer,
)
from holdfast_serving.http.api import CountRequest, DeleteRequest, ListRequest, LookupRequest
from holdfast_serving.http.auth import require
from holdfast_serving.http.border import BorderRoute
from holdfast_serving.http.openapi import fails
from holdfast_serving.http.routes.common import answer, refuse_over, replica_of
from holdfast_serving.replica import Replica

DELETE_SECONDS = 10.0
"""That one request deletes for: clients and proxies do not wait for ever."""

router = APIRouter(prefix="/v1/gallery", tags=["gallery"], route_class=BorderRoute)


@router.get("", dependencies=[require("read")], response_model=GalleryAnswer)
async def get_gallery(request: Request) -> Response:
    """Entries by version, how far this replica has applied the writes, the index's kind and size."""
    replica = replica_of(request)
    stats = await replica.in_thread(replica.gallery.stats)
    entries = dict(stats.entries)
    return answer(
        {
            "entries": entries,
            "total": sum(entries.values()),
            "seq": replica.applied_seq,
            "last_seq": await replica.in_thread(replica.gallery.entries.last_seq),
            "index": {"kind": stats.kind, "bytes": stats.bytes, "threads": stats.threads},
        }
    )


@router.get("/verify", dependencies=[require("admin")], response_model=VerifiedAnswer)
async def verify_gallery(request: Request) -> Response:
    """Compares the index that this replica searches with the database, entry by entry.

    It takes no writes over meanwhile: minutes, for millions of entries.
    """
    replica = replica_of(request)
    stats = await replica.in_thread(replica.gallery.stats)
    found = await replica.in_thread(replica.gallery.verify_index)
    return answer(
        {
            "ok": not found.count,
            "index": stats.kind,
            "seq": replica.applied_seq,
            "problem_count": found.count,
            "problems": found.shown,
        }
    )


@router.get(
    "/entries/{entry_id:everything}",
    dependencies=[require("read")],
    response_model=EntryAnswer,
    responses=fails(404),
)
async def get_entry(request: Request, entry_id: str, vector: bool = False) -> Response:
    """One entry as it is in the database; `?vector=true` adds its vector."""
    entry = await _stored(replica_of(request), entry_id)
    return answer(_content(entry, vector), version=entry.version)


@router.delete(
    "/entries/{entry_id:everything}",
    dependencies=[require("write")],
    response_model=DeletedAnswer,
    responses=fails(403, 404),
)
async def delete_entry(request: Request, entry_id: str) -> Response:
    """Deletes one entry; 404 when there is none."""
    replica = replica_of(request)
    await _stored(replica, entry_id)
    return answer({"seq": await replica.submit(Delete([entry_id])), "deleted": entry_id})


@router.post("/entries/lookup", dependencies=[require("read")], response_model=LookupAnswer)
async def look_up_entries(request: Request, body: LookupRequest) -> Response:
    """Entries by their ids, whatever these hold; `missing` are the ids that no entry has."""
    replica = replica_of(request)
    found = await _find(replica, body.ids)
    missing = [identifier for identifier in dict.fromkeys(body.ids) if identifier not in found]
    return answer({"entries": [_content(entry, body.vector) for entry in found.values()], "missing": missing})


@router.post(
    "/entries/delete",
    dependencies=[require("write")],
    response_model=DeletedManyAnswer,
    responses=fails(403),
)
async def delete_entries(request: Request, body: DeleteRequest) -> Response:
    """Deletes the entries of these ids, whatever these hold, all or none; `missing` are the ids that no entry
    had. Or all that match a filter, a few thousand at a time: `count` says how many went, and what no longer
    matches when its turn comes stays. After some seconds it ends, with `more`: then ask again, as after one
    that was cut off."""
    replica = replica_of(request)
    if body.ids is None:
        return await _delete_matching(replica, body)
    found = await _find(replica, body.ids)
    missing = [identifier for identifier in dict.fromkeys(body.ids) if identifier not in found]
    seq = await replica.submit(Delete(body.ids))
    return answer(
        {"seq": seq, "count": len(found), "deleted": list(found), "missing": missing, "more": False}
    )


@router.post("/entries/list", dependencies=[require("read")], response_model=PageAnswer, responses=fails(404))
async def list_entries(request: Request, body: ListRequest) -> Response:
    """A page of the entries that match, as they are in the database, in the order of their ids. `next` is the
    `after` of the next page."""
    replica = replica_of(request)
    refuse_over(body.limit, replica.config.limits.vectors, "entries")
    wanted = await _matching(replica, body.filter, body.versions)
    page = await replica.in_list_thread(replica.gallery.entries.page, wanted, body.after, body.limit)
    content = [_content(entry, body.vector, body.attributes) for entry in page.entries]
    return answer({"entries": content, "next": page.next})


@router.post(
    "/entries/count", dependencies=[require("read")], response_model=CountAnswer, responses=fails(404)
)
async def count_entries(request: Request, body: CountRequest) -> Response:
    """How many entries match, by the database."""
    replica = replica_of(request)
    wanted = await _matching(replica, body.filter, body.versions)
    return answer({"count": await replica.in_list_thread(replica.gallery.entries.count_matching, wanted)})


async def _delete_matching(replica: Replica, body: DeleteRequest) -> Response:
    entries = replica.gallery.entries
    wanted = await _matching(replica, body.filter, body.versions)
    count, after, more = 0, None, False
    until = time.monotonic() + DELETE_SECONDS
    if body.dry_run:
        count = await replica.in_list_thread(entries.count_matching, wanted)
    else:
        while ids := await replica.in_list_thread(entries.ids_matching, wanted, after, DELETED):
            count += await replica.submit(DeleteMatching(ids, wanted))
            after = ids[-1]
            if more := time.monotonic() > until:
                break
    seq = await replica.in_thread(entries.last_seq)
    return answer({"seq": seq, "count": count, "deleted": [], "missing": [], "more": more})


async def _matching(replica: Replica, raw: dict[str, Any] | None, versions: list[str] | None) -> Matching:
    """Raises InvalidFilterError, and NotFoundError for an unknown version."""
    named = None if versions is None else [(await replica.version(name)).name for name in versions]
    return Matching(parse_filter(raw), None if named is None else tuple(dict.fromkeys(named)))


async def _find(replica: Replica, ids: list[str]) -> dict[str, Entry]:
    refuse_over(len(ids), replica.config.limits.vectors, "ids")
    return {entry.id: entry for entry in await replica.in_thread(replica.gallery.entries.get_many, ids)}


def _content(entry: Entry, vector: bool, choice: bool | list[str] = True) -> dict[str, Any]:
    content: dict[str, Any] = {
        "id": entry.id,
        "embedded_by": entry.version,
        "attributes": chosen(entry.attributes, choice),
        "source": entry.source,
        "seq": entry.seq,
        "mapped_from": entry.mapped_from,
        "mapped_by": entry.mapped_by,
    }
    if vector:
        content["vector"] = entry.vector.tolist()
    return content


async def _stored(replica: Replica, entry_id: str) -> Entry:
    return await replica.in_thread(replica.gallery.get, entry_id)
