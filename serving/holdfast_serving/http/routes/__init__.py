"""The HTTP routes, one file a resource."""

from holdfast_serving.http.routes import (
    backfills,
    cohere,
    compatibility,
    embeddings,
    gallery,
    health,
    image,
    key,
    models,
    page,
    search,
    traffic,
    writing,
)

ROUTERS = (
    embeddings.router,
    cohere.router,
    models.router,
    compatibility.router,
    gallery.router,
    image.router,
    writing.many,
    writing.one,
    search.router,
    traffic.router,
    backfills.router,
    key.router,
    health.router,
    page.router,
)

__all__ = ["ROUTERS"]
