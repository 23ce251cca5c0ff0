"""What a request gives to be embedded, through one version: limits, vectors, and what failed."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from fastapi import Request

from holdfast.base import HoldfastError
from holdfast_serving.http.bodies.body import RejectedError
from holdfast_serving.http.bodies.items import Content
from holdfast_serving.http.routes.common import (
    check_words,
    key_name,
    refuse_over,
    remember_version,
    replica_of,
    sticky_text,
)
from holdfast_serving.replica import Embedder

SKIPPED = frozenset({404, 409, 413, 422})
"""Statuses of errors that are about one item; others are about the server, and end the request."""
Given = tuple[str, Content | RejectedError]
"""Where it stands in the body, and what it is."""


@dataclass(frozen=True, eq=False)
class Embedded:
    """What came of the items.

    Attributes:
        vectors: float32 (m, d), of those at `indices`, which are all unless some failed.
        failed: by index, why there is no vector.
    """

    version: str
    vectors: np.ndarray
    indices: Sequence[int]
    failed: Mapping[int, HoldfastError] = field(default_factory=dict)


async def embed(
    request: Request,
    given: Sequence[Given],
    model: str,
    user: str | None,
    *,
    dimensions: int | None = None,
    skip: bool = False,
) -> Embedded:
    """All items by `model` (a version or an alias), in one pass of images and one of texts where they fit.

    Args:
        dimensions: to which the vectors are to be cut.
        skip: whether what cannot be embedded is left out, not raised.

    Raises TooLargeError for too many items, and what `Replica.embedder` and `Embedder` raise.
    """
    replica = replica_of(request)
    limits = replica.config.limits
    texts = sum(isinstance(item, tuple) and item[0] == "text" for _, item in given)
    refuse_over(len(given) - texts, limits.images, "images")
    refuse_over(texts, limits.texts, "texts")
    failed: dict[int, HoldfastError] = {}
    for index, (name, item) in enumerate(given):
        try:
            if isinstance(item, RejectedError):
                raise item
            if item[0] == "text":
                check_words(str(item[1]), name, limits)
        except HoldfastError as error:
            if not skip:
                raise
            failed[index] = error
    embedder = await replica.embedder(model, sticky_text(request, user), key_name(request))
    remember_version(request, embedder.version)
    if dimensions not in (None, embedder.dimension):
        raise HoldfastError(
            f"dimensions: {embedder.version} has {embedder.dimension}, and no cut of it was measured: how "
            f"well the first {dimensions} find anything is not known. Leave dimensions out, or ask for "
            f"{embedder.dimension}."
        )
    vectors = np.empty((len(given), embedder.dimension), np.float32)
    for modality in ("image", "text"):
        # Rejected ones have failed already.
        places = [at for at, (_, item) in enumerate(given) if at not in failed and item[0] == modality]  # type: ignore[index]
        if not places:
            continue
        items = [given[at][1][1] for at in places]  # type: ignore[index]
        names = [given[at][0] for at in places]
        try:
            vectors[places] = await _pass(embedder, modality, items, names)
        except HoldfastError as error:
            if not skip or error.http_status not in SKIPPED:
                raise
            await _one_by_one(embedder, modality, items, names, places, vectors, failed)
    if not failed:
        return Embedded(embedder.version, vectors, range(len(given)))
    kept = [at for at in range(len(given)) if at not in failed]
    return Embedded(embedder.version, vectors[kept], kept, dict(sorted(failed.items())))


async def _pass(embedder: Embedder, modality: str, items: Sequence[Any], names: Sequence[str]) -> np.ndarray:
    if modality == "image":
        return await embedder.embed(items, names)
    return await embedder.embed_text(items)


async def _one_by_one(
    embedder: Embedder,
    modality: str,
    items: Sequence[Any],
    names: Sequence[str],
    places: Sequence[int],
    vectors: np.ndarray,
    failed: dict[int, HoldfastError],
) -> None:
    """Finds out which of them cannot be embedded; the others still share passes."""
    found = await asyncio.gather(
        *(_pass(embedder, modality, [item], [name]) for item, name in zip(items, names, strict=True)),
        return_exceptions=True,
    )
    for at, result in zip(places, found, strict=True):
        if isinstance(result, HoldfastError) and result.http_status in SKIPPED:
            failed[at] = result
        elif isinstance(result, BaseException):
            raise result
        else:
            vectors[at] = result[0]


def failures(failed: Mapping[int, HoldfastError]) -> list[dict[str, Any]]:
    """As answers name them."""
    return [{"index": index, "code": error.code, "message": str(error)} for index, error in failed.items()]
