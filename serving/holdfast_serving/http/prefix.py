"""Servers that a proxy shows below a path of its own."""

import re

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

# Whoever sends the header writes into the page: nothing that could be more than a path.
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")


class Prefix:
    """ASGI middleware: takes `root_path` off the addresses that have it, and remembers below which path the
    client sees the server. Routes know nothing of it: what they answer is relative, or asks `prefix_of`.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app = app
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            named = Headers(scope=scope).get("x-forwarded-prefix", "").rstrip("/")
            scope.setdefault("state", {})["prefix"] = named if _PATH.fullmatch(named) else self._root_path
            root, path = self._root_path, scope["path"]
            if root and (path == root or path.startswith(f"{root}/")):
                scope = {**scope, "path": path[len(root) :] or "/"}
        await self._app(scope, receive, send)


def prefix_of(request: Request) -> str:
    """The path below which the client sees the server, as far as is known; empty where it is not."""
    return str(request.scope.get("state", {}).get("prefix", ""))
