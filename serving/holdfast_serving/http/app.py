"""The FastAPI application around one replica. Knows nothing of Ray, so tests run it in their own process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from importlib.metadata import version as installed_version
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from holdfast_serving.http.auth import FixedKeys, Gatekeeper
from holdfast_serving.http.cors import Cors
from holdfast_serving.http.direct import Direct
from holdfast_serving.http.errors import install_error_handlers
from holdfast_serving.http.limits import Admit, TakePlace
from holdfast_serving.http.methods import Methods
from holdfast_serving.http.openapi import describe
from holdfast_serving.http.prefix import Prefix
from holdfast_serving.http.receiving import ReceiveWhole
from holdfast_serving.http.routes import ROUTERS
from holdfast_serving.http.telemetry import Telemetry
from holdfast_serving.replica import Replica
from holdfast_serving.tracing import Tracing


class Application:
    """What a server runs: the routes, and around them what every request goes through."""

    def __init__(self, app: FastAPI, entrance: ASGIApp) -> None:
        self.state = app.state
        self._app = app
        self._entrance = entrance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The lifespan is the routes'. FastAPI's own wrappers are around them alone: a request that knows its
        # endpoint does without.
        await (self._entrance if scope["type"] == "http" else self._app)(scope, receive, send)


def create_app(replica: Replica, echo_request_id: bool = True, tracing: Tracing | None = None) -> Application:
    """Routes, error shape, keys and limits; the replica starts and stops with the app's lifespan.

    `echo_request_id`: False where a proxy in front puts X-Request-ID on every answer, as Serve's does.
    """

    config = replica.config
    keyring = FixedKeys(config.key_hashes) if config.key_hashes else replica.store.keys
    gatekeeper = Gatekeeper(keyring)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await replica.start()
        yield
        gatekeeper.close()
        await replica.close()
        if tracing is not None:
            tracing.close()

    app = _routes(lifespan=lifespan)
    app.openapi = cache(lambda: describe(app))  # type: ignore[method-assign]
    app.state.replica = replica
    install_error_handlers(app)
    routes = [route for router in ROUTERS for route in router.routes]
    # From the innermost to the outermost: a refusal for load is counted and carries its request id.
    entrance: ASGIApp = TakePlace(Direct(app, routes), replica.admission)
    entrance = ReceiveWhole(entrance, gatekeeper, config.limits)
    entrance = Admit(entrance, replica.admission)
    entrance = Methods(entrance, routes)
    if config.cors_origins:
        entrance = Cors(entrance, config.cors_origins)
    entrance = Telemetry(entrance, replica.metrics, echo_request_id, tracing, judge=replica.guard.observe)
    return Application(app, Prefix(entrance, config.root_path))


def openapi_document() -> dict[str, Any]:
    """The document of a server, without one."""
    return describe(_routes())


def _routes(**settings: Any) -> FastAPI:
    app = FastAPI(
        title="Holdfast",
        version=installed_version("holdfast"),
        description="Versioned image embeddings over one shared gallery.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        telemetry={"tracing": False, "metrics": False, "logs": False},
        **settings,
    )
    for router in ROUTERS:
        app.include_router(router)
    return app
