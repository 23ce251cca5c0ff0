"""What a request gives to be embedded, through one version: limits, vectors, and what failed."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import numpy as np
from fastapi import Request

from holdfast.base import HoldfastError, cut_vectors
from holdfast.models import Purpose
from holdfast.store import Cut
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
from holdfast_serving.replica import Embedder, Replica

T = TypeVar("T")
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
        cut: what it was measured to cost, where the vectors are cut.
    """

    version: str
    vectors: np.ndarray
    indices: Sequence[int]
    failed: Mapping[int, HoldfastError] = field(default_factory=dict)
    cut: Cut | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Which version made the vectors, and what a cut of them costs."""
        said = {"X-Model-Version": self.version}
        if self.cut is None:
            return said
        cut = self.cut
        return said | {
            "X-Cut": f"dimensions={cut.dimensions}, recall-at-1={cut.recall_at_1:.2f}, "
            f"whole={cut.whole:.2f}, low={cut.low:.2f}, high={cut.high:.2f}"
        }


async def embed(
    request: Request,
    given: Sequence[Given],
    model: str,
    user: str | None,
    *,
    dimensions: int | None = None,
    purpose: Purpose | None = None,
    skip: bool = False,
) -> Embedded:
    """All items by `model` (a version or an alias), in one pass of images and one of texts where they fit.

    Args:
        dimensions: to which the vectors are to be cut; as many as a cut of the version was measured at.
        purpose: of the texts.
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
    cut = None
    if dimensions not in (None, embedder.dimension):
        cut = await find_cut(replica, embedder, dimensions)
    vectors = np.empty((len(given), embedder.dimension), np.float32)
    for modality in ("image", "text"):
        # Rejected ones have failed already.
        places = [at for at, (_, item) in enumerate(given) if at not in failed and item[0] == modality]  # type: ignore[index]
        items = [given[at][1][1] for at in places]  # type: ignore[index]
        names = [given[at][0] for at in places]
        made = await embed_each(embedder, modality, items, names, purpose, skip=skip)
        for at, vector in zip(places, made, strict=True):
            if isinstance(vector, HoldfastError):
                failed[at] = vector
            else:
                vectors[at] = vector
    kept: Sequence[int] = range(len(given))
    if failed:
        kept = [at for at in kept if at not in failed]
        vectors = vectors[kept]
    if cut is not None:
        vectors = cut_vectors(vectors, cut.dimensions)
    return Embedded(embedder.version, vectors, kept, dict(sorted(failed.items())), cut)


async def find_cut(replica: Replica, embedder: Embedder, dimensions: int) -> Cut:
    """What was measured of the first `dimensions` numbers of a version's vectors.

    Raises HoldfastError with the cuts that were measured.
    """
    version = await replica.version(embedder.version)
    if dimensions not in {cut.dimensions for cut in version.cuts}:
        # It may have been measured since this replica came to know the version.
        version = await replica.in_thread(replica.store.versions.get, embedder.version)
    for cut in version.cuts:
        if cut.dimensions == dimensions:
            return cut
    whole = f"leave dimensions out, or ask for {embedder.dimension}"
    if not version.cuts:
        raise HoldfastError(
            f"dimensions: {version.name} has {embedder.dimension}, and no cut of it was measured: how well "
            f"the first {dimensions} find anything is not known. {whole.capitalize()}; `holdfast evaluate` "
            "measures cuts."
        )
    raise HoldfastError(
        f"dimensions: {version.name} has {embedder.dimension}, and was measured cut to "
        f"{', '.join(map(str, version.cuts))}, but not to {dimensions}: ask for one of these, or {whole}."
    )


async def embed_each(
    embedder: Embedder,
    modality: str,
    items: Sequence[Any],
    names: Sequence[str],
    purpose: Purpose | None = None,
    *,
    skip: bool,
) -> Sequence[np.ndarray | HoldfastError]:
    """float32 (d,) for each item; if `skip`, an error in place of what cannot be embedded."""

    async def run(some: Sequence[Any], called: Sequence[str]) -> np.ndarray:
        if modality == "image":
            return await embedder.embed(some, called)
        return await embedder.embed_text(some, purpose)

    if not items:
        return []
    try:
        return list(await run(items, names))
    except HoldfastError as error:
        if not skip or error.http_status not in SKIPPED:
            raise
    # Who cannot be embedded shows one by one; the others still share passes.
    alone = [run([item], [name]) for item, name in zip(items, names, strict=True)]
    return [each if isinstance(each, HoldfastError) else each[0] for each in await outcomes(alone)]


async def outcomes(waiting: Iterable[Awaitable[T]]) -> list[T | HoldfastError]:
    """What came of each, beside each other: an error about it in its place; any other is raised."""
    found = await asyncio.gather(*waiting, return_exceptions=True)
    for each in found:
        is_its_own = isinstance(each, HoldfastError) and each.http_status in SKIPPED
        if isinstance(each, BaseException) and not is_its_own:
            raise each
    return cast(list[T | HoldfastError], found)


def failures(failed: Mapping[int, HoldfastError]) -> list[dict[str, Any]]:
    """As answers name them."""
    return [
        {"index": index, "code": error.code, "message": str(error)} for index, error in sorted(failed.items())
    ]
