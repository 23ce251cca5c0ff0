"""PUT of entries: many in one body, or one whose image may be the body."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from holdfast.base import HoldfastError, is_null, shown
from holdfast.entries import Entry, Upsert
from holdfast_serving.http.answers import WrittenAnswer
from holdfast_serving.http.api import EntriesRequest, EntryBody, EntryContent
from holdfast_serving.http.auth import require
from holdfast_serving.http.bodies.body import RejectedError
from holdfast_serving.http.bodies.items import as_vector
from holdfast_serving.http.bodies.uploads import UploadRoute
from holdfast_serving.http.border import BorderRoute
from holdfast_serving.http.openapi import fails, takes_uploads
from holdfast_serving.http.routes.common import answer, refuse_over, remember_version, replica_of
from holdfast_serving.http.routes.embedded import SKIPPED, embed_each, failures, outcomes
from holdfast_serving.replica import Replica

_PREFIX = "/v1/gallery/entries"
many = APIRouter(prefix=_PREFIX, tags=["gallery"], dependencies=[require("write")], route_class=BorderRoute)
one = APIRouter(prefix=_PREFIX, tags=["gallery"], dependencies=[require("write")], route_class=UploadRoute)
_LINKS = {
    name: {"operationId": f"{name}_entry", "parameters": {"entry_id": "$request.body#/entries/0/id"}}
    for name in ("get", "delete")
}
Failed = dict[int, HoldfastError]


@many.put("", response_model=WrittenAnswer, responses=fails(403, 404) | {200: {"links": _LINKS}})
async def put_entries(request: Request, body: EntriesRequest) -> Response:
    """Inserts or replaces entries, all or none; answers after the commit. Search with `seq` as `min_seq`.

    With `on_error: skip`, those that can be written are written, all of these or none, and `errors` names the
    others.
    """
    return await _put(request, body.entries, skip=body.on_error == "skip")


@one.put(
    "/{entry_id:everything}",
    response_model=WrittenAnswer,
    responses=fails(403, 404),
    openapi_extra=takes_uploads(EntryContent),
)
async def put_entry(request: Request, entry_id: str, body: EntryContent) -> Response:
    """Inserts or replaces one entry; its image may be the body, or the file of a form. Search with `seq` as
    `min_seq`."""
    try:
        entry = EntryBody(id=entry_id, **dict(body))
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
        raise RequestValidationError(faults, body={"id": entry_id, **dict(body)}) from None
    return await _put(request, [entry], skip=False)


async def _put(request: Request, items: Sequence[EntryBody | RejectedError], *, skip: bool) -> Response:
    replica = replica_of(request)
    limits = replica.config.limits
    whole = {at: item for at, item in enumerate(items) if isinstance(item, EntryBody)}
    failed: Failed = {at: item for at, item in enumerate(items) if isinstance(item, RejectedError)}
    images = sum(item.vector is None for item in whole.values())
    refuse_over(images, limits.images, "images")
    refuse_over(len(items) - images, limits.vectors, "vectors")
    made = await _from_images(request, replica, whole, failed, skip)
    made |= await _from_vectors(replica, whole, failed, skip)
    if skip:
        failed |= await _refused(replica, made)
    entries = [made[at] for at in sorted(made) if at not in failed]
    # Where nothing is left to be written, everything that was written is what is searchable.
    seq = await replica.submit(Upsert(entries)) if entries else replica.applied_seq
    times = Counter(entry.id for entry in entries)
    nulls = Counter(
        key
        for at, item in whole.items()
        if at not in failed
        for key, value in item.attributes.items()
        if is_null(value)
    )
    content: dict[str, Any] = {"seq": seq, "upserted": len(times)}
    if repeated := {name: count for name, count in times.items() if count > 1}:
        content["repeated"] = repeated
    if nulls:
        content["null_attributes"] = dict(nulls)
    if failed:
        content["errors"] = failures(failed)
    return answer(content)


async def _from_images(
    request: Request, replica: Replica, items: Mapping[int, EntryBody], failed: Failed, skip: bool
) -> dict[int, Entry]:
    """The entries whose images the write version embeds, by their places."""
    pictures = {at: picture for at, item in items.items() if (picture := item.picture) is not None}
    if not pictures:
        return {}
    embedder = await replica.write_embedder()
    remember_version(request, embedder.version)
    names = [f"entries[{at}] ({shown(items[at].id)})" for at in pictures]
    made: dict[int, Entry] = {}
    vectors = await embed_each(embedder, "image", list(pictures.values()), names, skip=skip)
    for at, vector in zip(pictures, vectors, strict=True):
        if isinstance(vector, HoldfastError):
            failed[at] = vector
        else:
            made[at] = _entry(items[at], embedder.version, vector)
    return made


async def _from_vectors(
    replica: Replica, items: Mapping[int, EntryBody], failed: Failed, skip: bool
) -> dict[int, Entry]:
    """The entries that bring their vectors, by their places."""
    made: dict[int, Entry] = {}
    for at, item in items.items():
        if item.vector is None:
            continue
        try:
            version = await replica.name(str(item.version))
            made[at] = _entry(item, version, as_vector(item.vector, f"entries[{at}].vector"))
        except HoldfastError as error:
            if not skip or error.http_status not in SKIPPED:
                raise
            failed[at] = error
    return made


async def _refused(replica: Replica, made: Mapping[int, Entry]) -> Failed:
    """Those that the database would refuse all the others for."""
    check = replica.gallery.entries.check
    try:
        await replica.in_thread(check, Upsert(list(made.values())))
        return {}
    except HoldfastError as error:
        if error.http_status not in SKIPPED:
            raise
    checks = [replica.in_thread(check, Upsert([each])) for each in made.values()]
    found = await outcomes(checks)
    return {at: each for at, each in zip(made, found, strict=True) if isinstance(each, HoldfastError)}


def _entry(item: EntryBody, version: str, vector: np.ndarray) -> Entry:
    attributes = {
        key: value for key, value in item.attributes.items() if value is not None and not is_null(value)
    }
    return Entry(id=item.id, version=version, vector=vector, attributes=attributes, source=item.source)
