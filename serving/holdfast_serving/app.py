"""The FastAPI application around one replica. Knows nothing of Ray, so tests run it in their own process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version as installed_version

from fastapi import FastAPI

from holdfast_serving.auth import FixedKeys, Gatekeeper
from holdfast_serving.errors import install_error_handlers
from holdfast_serving.limits import Admit, LimitBody
from holdfast_serving.replica import Replica
from holdfast_serving.routes import ROUTERS
from holdfast_serving.telemetry import Telemetry


def create_app(replica: Replica, echo_request_id: bool = True) -> FastAPI:
    """Routes, error shape, keys and limits; the replica starts and stops with the app's lifespan.

    `echo_request_id`: False where a proxy in front puts X-Request-ID on every answer, as Serve's does.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await replica.start()
        yield
        await replica.close()

    app = FastAPI(
        title="Holdfast",
        version=installed_version("holdfast"),
        description="Versioned image embeddings over one shared gallery.",
        lifespan=lifespan,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    keyring = FixedKeys(replica.config.key_hashes) if replica.config.key_hashes else replica.store.keys
    app.state.replica = replica
    app.state.gatekeeper = Gatekeeper(keyring, replica.in_thread)
    for router in ROUTERS:
        app.include_router(router)
    install_error_handlers(app)
    # The last one added is the outermost: a refusal for load is counted and carries its request id.
    app.add_middleware(LimitBody, limit=replica.config.limits.body_bytes)
    app.add_middleware(Admit, admission=replica.admission)
    app.add_middleware(Telemetry, metrics=replica.metrics, echo=echo_request_id)
    return app
