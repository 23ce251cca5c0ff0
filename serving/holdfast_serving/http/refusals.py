"""Refusals that need not wait for the rest of a request."""

import asyncio
import contextlib

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from holdfast.base import HoldfastError
from holdfast_serving.http.errors import holdfast_response

LINGER_SECONDS = 2.0
"""How long what a refused client still sends is thrown away. One that is cut off while it sends would see a
broken connection, and not the answer."""


def has_body(headers: Headers) -> bool:
    """Whether something follows the headers."""
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


async def refuse(
    error: HoldfastError, scope: Scope, receive: Receive, send: Send, *, whole: bool = False
) -> None:
    """Answers at once, and reads of the body only as much as it takes to be heard; nothing if it is `whole`,
    which is received already."""
    request_id = scope.get("state", {}).get("request_id", "")
    response = holdfast_response(error, request_id)
    if whole or not has_body(Headers(scope=scope)):
        await response(scope, receive, send)
        return
    response.headers["Connection"] = "close"
    await send(
        {"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers}
    )
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    # The answer is out; Serve's own proxy raises its own errors for a client that has left meanwhile.
    with contextlib.suppress(Exception):
        async with asyncio.timeout(LINGER_SECONDS):
            while (await receive()).get("more_body", False):
                pass
    await send({"type": "http.response.body", "body": b"", "more_body": False})
