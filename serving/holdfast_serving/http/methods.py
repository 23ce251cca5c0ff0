"""HEAD and OPTIONS on every route, and which methods an address has."""

from collections.abc import Iterable
from urllib.parse import quote

from fastapi import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from holdfast.base import shown
from holdfast_serving.http.direct import route_path
from holdfast_serving.http.errors import error_response


class Methods:
    """ASGI middleware: answers OPTIONS, gives HEAD the headers of GET, and refuses with 405 and `Allow` what
    an address does not have. A slash too many at the end is led to the address without it; any other address
    that no route has goes on to the app.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        self._routes = [route for route in routes if isinstance(route, Route)]
        self._plain = {
            (method, route.path)
            for route in self._routes
            if "{" not in route.path
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        if (method, route_path(scope)) in self._plain:
            await self._app(scope, receive, send)
            return
        found = set().union(*self._methods(scope))
        path = scope["path"]
        if not found and path.endswith("/") and any(self._methods({**scope, "path": path[:-1]})):
            # Relative: below whichever path a proxy shows the server, it stays there.
            query = scope.get("query_string", b"").decode("latin-1")
            there = f"../{quote(path[:-1].rpartition('/')[2])}" + (f"?{query}" if query else "")
            await Response(status_code=307, headers={"Location": there})(scope, receive, send)
            return
        if not found or (method in found and method != "HEAD"):
            await self._app(scope, receive, send)
            return
        allowed = sorted(found | {"OPTIONS"} | ({"HEAD"} if "GET" in found else set()))
        if method == "HEAD" and "GET" in found:
            await self._app({**scope, "method": "GET"}, receive, _without_body(send))
        elif method == "OPTIONS":
            await Response(status_code=204, headers={"Allow": ", ".join(allowed)})(scope, receive, send)
        else:
            message = f"{method} is not allowed on {shown(scope['path'])}: {', '.join(allowed)} are."
            request_id = scope.get("state", {}).get("request_id", "")
            refusal = error_response(405, "method_not_allowed", message, request_id)
            refusal.headers["Allow"] = ", ".join(allowed)
            await refusal(scope, receive, send)

    def _methods(self, scope: Scope) -> Iterable[set[str]]:
        for route in self._routes:
            if route.matches(scope)[0] is not Match.NONE:
                yield route.methods or set()


def _without_body(send: Send) -> Send:
    async def headers_only(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return headers_only
