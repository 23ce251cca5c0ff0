"""Lets web pages of other origins call the API, where the operator named them."""

from collections.abc import Sequence

from fastapi import Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, X-API-Key, X-Request-ID, X-User",
    "Access-Control-Max-Age": "600",
}
_EXPOSED = "X-Request-ID, X-Model-Version, X-Cut, Server-Timing, Retry-After, Allow"


class Cors:
    """ASGI middleware: tells that pages of `origins` may read every answer, errors included, and answers the
    browser's question before a request. Keys come in headers, so no cookie is ever allowed."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin", "")
        allowed = bool(origin) and not self._origins.isdisjoint((origin, "*"))

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered = MutableHeaders(scope=message)
                answered.add_vary_header("Origin")
                if allowed:
                    answered["Access-Control-Allow-Origin"] = origin
                    answered["Access-Control-Expose-Headers"] = _EXPOSED
            await send(message)

        asks = scope["method"] == "OPTIONS" and "access-control-request-method" in headers
        if asks and allowed:
            await Response(status_code=204, headers=_PREFLIGHT)(scope, receive, answer)
        else:
            await self._app(scope, receive, answer)
