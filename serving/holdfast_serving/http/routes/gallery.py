"""The gallery's entries: upsert, get, delete, and the state of the whole."""

import time
from collections import Counter
from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response

from holdfast.base import InvalidVectorError, chosen, is_null, shown
from holdfast.entries import DELETED, Delete, DeleteMatching, Entry, Matching, Upsert
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
    WrittenAnswer,
)
from holdfast_serving.http.api import (
    CountRequest,
    DeleteRequest,
    EntriesRequest,
    EntryBody,
    ListRequest,
    LookupRequest,
)
from holdfast_serving.http.auth import require
from holdfast_serving.http.border import BorderRoute
from holdfast_serving.http.openapi import fails
from holdfast_serving.http.routes.common import answer, refuse_over, remember_version, replica_of
from holdfast_serving.replica import Replica

DELETE_SECONDS = 10.0
"""That one request deletes for: clients and proxies do not wait for ever."""

router = APIRouter(prefix="/v1/gallery", tags=["gallery"], route_class=BorderRoute)
_LINKS = {
    name: {"operationId": f"{name}_entry", "parameters": {"entry_id": "$request.body#/entries/0/id"}}
    for name in ("get", "delete")
}


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


@router.put(
    "/entries",
    dependencies=[require("write")],
    response_model=WrittenAnswer,
    responses=fails(403, 404) | {200: {"links": _LINKS}},
)
async def put_entries(request: Request, body: EntriesRequest) -> Response:
    """Inserts or replaces entries, all or none; answers after the commit. Search with `seq` as `min_seq`."""
    replica = replica_of(request)
    limits = replica.config.limits
    images = [item for item in body.entries if item.image is not None]
    refuse_over(len(images), limits.images, "images")
    refuse_over(len(body.entries) - len(images), limits.vectors, "vectors")
    entries = await _entries(request, replica, body.entries)
    seq = await replica.submit(Upsert(entries))
    times = Counter(entry.id for entry in entries)
    repeated = {name: count for name, count in times.items() if count > 1}
    nulls = Counter(key for item in body.entries for key, value in item.attributes.items() if is_null(value))
    content: dict[str, Any] = {"seq": seq, "upserted": len(times)}
    if repeated:
        content["repeated"] = repeated
    if nulls:
        content["null_attributes"] = dict(nulls)
    return answer(content)


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


async def _entries(request: Request, replica: Replica, items: list[EntryBody]) -> list[Entry]:
    """Embeds the images with the write version, in the order of the request."""
    positions = [index for index, item in enumerate(items) if item.image is not None]
    made: dict[int, Entry] = {}
    if positions:
        embedder = await replica.write_embedder()
        remember_version(request, embedder.version)
        names = [f"entries[{index}] ({shown(items[index].id)})" for index in positions]
        vectors = await embedder.embed([str(items[index].image) for index in positions], names)
        for index, vector in zip(positions, vectors, strict=True):
            made[index] = _entry(items[index], embedder.version, vector)
    for index, item in enumerate(items):
        if item.vector is not None:
            version = await replica.name(str(item.version))
            made[index] = _entry(item, version, as_vector(item.vector, f"entries[{index}].vector"))
    return [made[index] for index in range(len(items))]


def _entry(item: EntryBody, version: str, vector: np.ndarray) -> Entry:
    attributes = {
        key: value for key, value in item.attributes.items() if value is not None and not is_null(value)
    }
    return Entry(id=item.id, version=version, vector=vector, attributes=attributes, source=item.source)


def as_vector(numbers: list[float], where: str) -> np.ndarray:
    """Numbers of a request -> float32 (d,). Raises InvalidVectorError for what float32 cannot hold."""
    with np.errstate(over="ignore"):
        vector = np.asarray(numbers, dtype=np.float32)
    if not np.isfinite(vector).all():
        raise InvalidVectorError(f"{where} holds a number that is not finite.")
    return vector
