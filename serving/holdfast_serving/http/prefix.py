"""Servers that a proxy shows below a path of its own."""

import re

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

# Whoever sends the header writes into the page: nothing that could be more than a path.
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")


class Prefix:
    """ASGI middleware: takes the paths below which the server is shown off the addresses that have them, and
    remembers below which one the client sees it. Routes know nothing of it: what they answer is relative, or
    asks `prefix_of`.

    There may be two: `root_path` (or what the header says) is that of a proxy in front, and the scope's own
    that of Serve, whose route prefix it is.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app = app
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            named = Headers(scope=scope).get("x-forwarded-prefix", "").rstrip("/")
            shown = named if _PATH.fullmatch(named) else self._root_path
            mounted = scope.get("root_path", "")
            scope.setdefault("state", {})["prefix"] = shown + mounted
            if mounted or self._root_path:
                path = _below(_below(scope["path"], mounted), self._root_path)
                scope = {**scope, "path": path, "root_path": ""}
        await self._app(scope, receive, send)


def _below(path: str, root: str) -> str:
    """The rest of a path that is `root` or lies below it; any other as it is."""
    if root and (path == root or path.startswith(f"{root}/")):
        return path[len(root) :] or "/"
    return path


def prefix_of(request: Request) -> str:
    """The path below which the client sees the server, as far as is known; empty where it is not."""
    return str(request.scope.get("state", {}).get("prefix", ""))
