"""Who is let in: nobody new while the server shuts down, and no more at a time than it can work on."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from holdfast.base import HoldfastError, NotReadyError
from holdfast_serving.errors import OverloadedError
from holdfast_serving.refusals import refuse

ALWAYS_ANSWERED = frozenset({"/livez", "/readyz", "/metrics"})
"""Never refused for load: whoever watches the server must see it just when it is busy."""


class Admission:
    """How many requests are here, how many of them are worked on, and whether more are let in.

    A request is here from its headers to its answer. It takes a place, of which there are `limit`, only once
    it is whole: however many are being received, they keep nobody out.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.here = 0
        self.active = 0
        self.draining = False
        self._empty = asyncio.Event()
        self._empty.set()

    def closed(self) -> HoldfastError | None:
        """Why no new request is let in at this moment, None when it may come in."""
        return (
            NotReadyError("The server is shutting down; another one may answer.") if self.draining else None
        )

    def full(self) -> HoldfastError | None:
        """Why a whole request gets no place at this moment, None when there is one."""
        if self.active < self.limit:
            return None
        return OverloadedError(f"{self.limit} requests are in progress already; try again in a second.")

    def arrive(self) -> None:
        self.here += 1
        self._empty.clear()

    def leave(self) -> None:
        self.here -= 1
        if self.here == 0:
            self._empty.set()

    def close(self) -> None:
        """Lets nobody in any more."""
        self.draining = True

    async def empty(self) -> None:
        """Returns when those who are here have their answers."""
        await self._empty.wait()

    def reopen(self) -> None:
        self.draining = False


class Admit:
    """ASGI middleware: 503 with Retry-After while draining. Who came before is answered."""

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self._app = app
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in ALWAYS_ANSWERED:
            await self._app(scope, receive, send)
            return
        closed = self._admission.closed()
        if closed is not None:
            await refuse(closed, scope, receive, send)
            return
        self._admission.arrive()
        try:
            await self._app(scope, receive, send)
        finally:
            self._admission.leave()


class TakePlace:
    """ASGI middleware, the innermost: 429 with Retry-After when too many requests are worked on.

    The place is given back when the answer begins, which is whole by then: who reads it slowly keeps nobody
    out.
    """

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self._app = app
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in ALWAYS_ANSWERED:
            await self._app(scope, receive, send)
            return
        full = self._admission.full()
        if full is not None:
            await refuse(full, scope, receive, send, whole=True)
            return
        self._admission.active += 1
        working = True

        def done() -> None:
            nonlocal working
            if working:
                working = False
                self._admission.active -= 1

        async def answer(message: Message) -> None:
            done()
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            done()
