"""The FastAPI application around one replica. Knows nothing of Ray, so tests run it in their own process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from importlib.metadata import version as installed_version
from typing import Any

from fastapi import FastAPI

from holdfast_serving.http.auth import FixedKeys, Gatekeeper
from holdfast_serving.http.cors import Cors
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


def create_app(replica: Replica, echo_request_id: bool = True, tracing: Tracing | None = None) -> FastAPI:
    """Routes, error shape, keys and limits; the replica starts and stops with the app's lifespan.

    `echo_request_id`: False where a proxy in front puts X-Request-ID on every answer, as Serve's does.
    """

    keyring = FixedKeys(replica.config.key_hashes) if replica.config.key_hashes else replica.store.keys
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
    # The last one added is the outermost: a refusal for load is counted and carries its request id.
    app.add_middleware(TakePlace, admission=replica.admission)
    app.add_middleware(ReceiveWhole, gatekeeper=gatekeeper, limits=replica.config.limits)
    app.add_middleware(Admit, admission=replica.admission)
    app.add_middleware(Methods, routes=routes)
    app.add_middleware(Prefix, root_path=replica.config.root_path)
    if replica.config.cors_origins:
        app.add_middleware(Cors, origins=replica.config.cors_origins)
    app.add_middleware(
        Telemetry,
        metrics=replica.metrics,
        echo=echo_request_id,
        tracing=tracing,
        judge=replica.guard.observe,
    )
    return app


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
