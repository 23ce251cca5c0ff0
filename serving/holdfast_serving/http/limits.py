"""Whom the admission lets in, at the door: nobody new while it drains, and no more than it can work on."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from holdfast_serving.http.refusals import refuse
from holdfast_serving.replica import Admission

ALWAYS_ANSWERED = frozenset({"/livez", "/readyz", "/metrics"})
"""Never refused for load: whoever watches the server must see it just when it is busy."""


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
