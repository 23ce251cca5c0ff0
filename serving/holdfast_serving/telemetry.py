"""Request ids and Prometheus metrics. Every replica answers for itself."""

import logging
import random
import re
import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from holdfast_serving.auth import secret_of
from holdfast_serving.errors import error_response
from holdfast_serving.logs import ACCESS, access_line, request_id

logger = logging.getLogger(__name__)
access = logging.getLogger(ACCESS)

_ACCEPTABLE = re.compile(r"[\x21-\x7e]{1,128}")
_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


class Metrics:
    """The figures of one replica, all prefixed `holdfast_`; labels have few values, whatever clients send."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "holdfast_requests", "Requests answered.", ("route", "code", "version"), registry=self.registry
        )
        self.seconds = Histogram(
            "holdfast_request_seconds",
            "Time to answer.",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.batch_size = Histogram(
            "holdfast_embed_batch_size",
            "Images in one pass of a model.",
            ("version",),
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
            registry=self.registry,
        )
        self.queue_seconds = Histogram(
            "holdfast_embed_queue_seconds",
            "Wait of the oldest image of a pass.",
            ("version",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.search_seconds = Histogram(
            "holdfast_search_seconds", "Time in the index.", buckets=_SECONDS, registry=self.registry
        )
        self.entries = Gauge(
            "holdfast_gallery_entries", "Searchable entries.", ("version",), registry=self.registry
        )
        self.applied_seq = Gauge(
            "holdfast_gallery_applied_seq", "The last write that is searchable here.", registry=self.registry
        )
        self.epoch = Gauge("holdfast_traffic_epoch", "The traffic record followed.", registry=self.registry)
        self.loaded = Gauge(
            "holdfast_version_loaded", "1 for a version in memory.", ("version",), registry=self.registry
        )
        self.follow_failures = Counter(
            "holdfast_follow_failures", "Failed attempts to follow the store.", registry=self.registry
        )

    def observe_batch(self, version: str, images: int, waited: float) -> None:
        self.batch_size.labels(version).observe(images)
        self.queue_seconds.labels(version).observe(waited)


class Telemetry:
    """ASGI middleware, the outermost: gives every request an id, echoes it, counts the answer and logs it.

    A defect is answered here, so that its answer, its figures and its traceback have the same id.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, echo: bool) -> None:
        self._app = app
        self._metrics = metrics
        self._echo = echo

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
        code = 0
        begun = time.perf_counter()

        async def answer(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
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
            self._metrics.requests.labels(route, str(code), version).inc()
            self._metrics.seconds.labels(route).observe(seconds)
            if access.isEnabledFor(logging.INFO):
                secret = secret_of(headers)
                access.info(access_line(scope["method"], scope["path"], code, seconds, version, secret))
