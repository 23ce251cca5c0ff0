"""GET /v1/gallery/image: the image of an entry, for the page. Read below the server's sources only."""

import asyncio
import io
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from holdfast.backfill import Sources, UnreadableError, read_image
from holdfast.base import NotFoundError, shown
from holdfast.models import decode_image
from holdfast_serving.http.auth import require
from holdfast_serving.http.border import BorderRoute
from holdfast_serving.http.routes.common import replica_of

router = APIRouter(dependencies=[require("read")], include_in_schema=False, route_class=BorderRoute)

Size = Annotated[int | None, Query(ge=16, le=1024)]
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, max-age=300",
}


class NoSourcesError(NotFoundError):
    """No image may be read by this server."""

    code = "no_sources"


@router.get("/v1/gallery/image")
async def get_image(request: Request, id: str, size: Size = None) -> Response:
    """The image that an entry names as its source, as a PNG; 204 where it names none. `size`: of its longer
    side at most."""
    replica = replica_of(request)
    if not replica.config.sources:
        raise NoSourcesError("No images may be read here: say which ones, with --sources of holdfast serve.")
    entry = await replica.in_thread(replica.gallery.get, id)
    if not entry.source:
        return Response(status_code=204)
    # Not in the threads of searches: a file may be far away.
    content = await asyncio.to_thread(
        _picture, entry.id, entry.source, replica.config.sources, size, replica.config.limits.pixels
    )
    return Response(content, media_type="image/png", headers=_HEADERS)


def _picture(entry_id: str, source: str | None, roots: Sequence[str], size: int | None, pixels: int) -> bytes:
    """PNG bytes. Raises NotFoundError for a file that cannot be read, InvalidImageError for no image."""
    try:
        encoded = read_image(source, Sources.of(roots))
    except UnreadableError as error:
        raise NotFoundError(f"The image of entry {shown(entry_id)} cannot be shown: {error}.") from None
    image = decode_image(encoded, pixels)
    if size is not None:
        image.thumbnail((size, size))
    written = io.BytesIO()
    image.convert("RGBA" if "A" in image.getbands() else "RGB").save(written, "PNG", compress_level=1)
    return written.getvalue()
