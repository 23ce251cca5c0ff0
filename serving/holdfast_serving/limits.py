"""Refuses what is too much before anything reads it: body size and requests in progress."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from holdfast.errors import HoldfastError, NotReadyError, TooLargeError
from holdfast_serving.errors import OverloadedError, holdfast_response

ALWAYS_ANSWERED = frozenset({"/livez", "/readyz", "/metrics"})
"""Never refused for load: whoever watches the server must see it just when it is busy."""


class LimitBody:
    """ASGI middleware: 413 for a body over the limit, whether announced or only found out while reading."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"")
        if announced.isdigit() and int(announced) > self._limit:
            await self._refuse(scope, receive, send)
            return
        received = 0
        started = False
        too_much = False

        async def counted() -> Message:
            nonlocal received, too_much
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                too_much = True
                return {"type": "http.disconnect"}
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            if too_much and not started:
                return
            started = True
            await send(message)

        try:
            await self._app(scope, counted, watched)
        except Exception:
            if not too_much:
                raise
        if too_much and not started:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = TooLargeError(
            f"The body is larger than {self._limit:,} bytes; send fewer items in one request."
        )
        await _answer(error, scope, receive, send)


class Admission:
    """How many requests are in progress, and whether more are let in."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.active = 0
        self.draining = False
        self._idle = asyncio.Event()
        self._idle.set()

    def refusal(self) -> HoldfastError | None:
        """Why no further request is let in at this moment, None when it may come in."""
        if self.draining:
            return NotReadyError("The server is shutting down; another one may answer.")
        if self.active >= self.limit:
            return OverloadedError(f"{self.limit} requests are in progress already; try again in a second.")
        return None

    def enter(self) -> None:
        self.active += 1
        self._idle.clear()

    def leave(self) -> None:
        self.active -= 1
        if self.active == 0:
            self._idle.set()

    async def drain(self) -> None:
        """Lets nobody in any more, and returns when those inside have left."""
        self.draining = True
        await self._idle.wait()

    def reopen(self) -> None:
        self.draining = False


class Admit:
    """ASGI middleware: 429 when too many are in progress, 503 while draining, both with Retry-After."""

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self._app = app
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in ALWAYS_ANSWERED:
            await self._app(scope, receive, send)
            return
        refusal = self._admission.refusal()
        if refusal is not None:
            await _answer(refusal, scope, receive, send)
            return
        self._admission.enter()
        try:
            await self._app(scope, receive, send)
        finally:
            self._admission.leave()


async def _answer(error: HoldfastError, scope: Scope, receive: Receive, send: Send) -> None:
    request_id = scope.get("state", {}).get("request_id", "")
    await holdfast_response(error, request_id)(scope, receive, send)
