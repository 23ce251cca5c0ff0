"""Request ids, and what is counted and logged of every answer."""

import logging
import random
import re
import time
from collections.abc import Callable, Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from holdfast_serving.http.auth import secret_of
from holdfast_serving.http.errors import error_response
from holdfast_serving.logs import ACCESS, access_line, request_id
from holdfast_serving.replica import Metrics, answering
from holdfast_serving.stages import Stages, current
from holdfast_serving.tracing import Tracing

logger = logging.getLogger(__name__)
access = logging.getLogger(ACCESS)

_ACCEPTABLE = re.compile(r"[\x21-\x7e]{1,128}")


class Telemetry:
    """ASGI middleware, the outermost: gives every request an id, echoes it, counts the answer and logs it.

    So it does with the time of each stage, which the answer has as `Server-Timing`.

    A defect is answered here, so that its answer, its figures and its traceback have the same id.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        echo: bool,
        tracing: Tracing | None = None,
        judge: Callable[[Mapping[str, bool]], None] = lambda outcomes: None,
    ) -> None:
        """`judge` is told of every request which versions it asked, and whether they failed."""
        self._app = app
        self._metrics = metrics
        self._judge = judge
        self._echo = echo
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        sent = headers.get("x-request-id", "")
        identifier = sent if _ACCEPTABLE.fullmatch(sent) else f"{random.getrandbits(128):032x}"
        state = scope.setdefault("state", {})
        state["request_id"] = identifier
        # Never taken back: a request has a task, and so a context, of its own.
        request_id.set(identifier)
        stages = Stages()
        current.set(stages)
        outcomes: dict[str, bool] = {}
        answering.set(outcomes)
        span = None if self._tracing is None else self._tracing.begin(headers)
        code = 0
        begun = time.perf_counter()

        async def answer(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
                if stages.spans:
                    MutableHeaders(scope=message)["Server-Timing"] = stages.server_timing()
                if self._echo:
                    MutableHeaders(scope=message)["X-Request-ID"] = identifier
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except Exception as error:
            logger.error("%s %s failed", scope["method"], ascii(scope["path"]), exc_info=error)
            if code:
                raise
            message = "The server failed; its log has the details under this request_id."
            await error_response(500, "internal", message, identifier)(scope, receive, answer)
        finally:
            seconds = time.perf_counter() - begun
            # 499: the client hung up.
            code = code or 499
            version = state.get("version", "")
            route = getattr(scope.get("route"), "path", None) or "other"
            self._metrics.observe_request(route, code, version, seconds)
            self._judge(outcomes)
            taken = stages.seconds()
            self._metrics.observe_stages(taken)
            if self._tracing is not None and span is not None:
                about = {
                    "http.request.method": scope["method"],
                    "http.route": route,
                    "holdfast.request_id": identifier,
                    "holdfast.version": version,
                }
                self._tracing.end(span, f"{scope['method']} {route}", code, stages, about)
            if access.isEnabledFor(logging.INFO):
                secret = secret_of(headers)
                access.info(
                    access_line(scope["method"], scope["path"], code, seconds, version, secret, taken)
                )
