"""The HTTP routes, one file a resource."""

from holdfast_serving.http.routes import (
    backfills,
    cohere,
    embeddings,
    gallery,
    health,
    models,
    page,
    search,
    traffic,
)

ROUTERS = (
    embeddings.router,
    cohere.router,
    models.router,
    gallery.router,
    search.router,
    traffic.router,
    backfills.router,
    health.router,
    page.router,
)

__all__ = ["ROUTERS"]
