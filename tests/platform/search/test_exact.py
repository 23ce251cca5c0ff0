"""Projections meet the entries of their base exactly: whatever was measured, nothing can be mixed up."""

from collections.abc import Callable

import numpy as np
import pytest
from sqlalchemy import update

from holdfast.adapters import LinearAdapter
from holdfast.base import IncompatibleError
from holdfast.entries import Entry
from holdfast.search import Gallery
from holdfast.store import Compatibility, Store, metadata, writing


@pytest.fixture
def projected(store: Store, vectors: Callable[..., np.ndarray]) -> Gallery:
    """v2 and v3 are projections over v1, of which there are 20 entries; of v4 there is one of its own."""
    table = metadata.tables["versions"]
    with writing(store.engine) as connection:
        connection.execute(update(table).where(table.c.name.in_(["v2", "v3"])).values(base="v1"))
    for seed, name in enumerate(("v2", "v3")):
        drawn = LinearAdapter.of(np.random.default_rng(seed).normal(size=(8, 8)))
        store.adapters.register(name, "v1", drawn, maps="entries")
    gallery = Gallery(store)
    gallery.upsert([Entry(str(number), "v1", row) for number, row in enumerate(vectors(20))])
    return gallery


def measured(store: Store, query: str, gallery: str, low: float, high: float) -> None:
    digest = next((r.digest for r in store.adapters.list() if (r.query, r.gallery) == (query, gallery)), None)
    value = 0.6 + (low + high) / 2
    store.compatibility.record(
        [Compatibility(query, gallery, value, 0.6, low, high, low > 0, "e", adapter=digest)]
    )


@pytest.mark.parametrize("interval", [None, (-0.1, 0.1), (-0.2, -0.1), (0.1, 0.2)])
def test_a_projection_always_searches_its_base(
    store: Store,
    projected: Gallery,
    vectors: Callable[..., np.ndarray],
    interval: tuple[float, float] | None,
) -> None:
    if interval is not None:
        measured(store, "v2", "v1", *interval)
    result = projected.search(vectors(1)[0], "v2", k=20)
    assert (result.exact, len(result.hits)) == (["v1"], 20)


def test_only_one_that_surely_finds_less_is_kept_from_answering(store: Store, projected: Gallery) -> None:
    store.traffic.change(query_version="v2", write_version="v1")
    measured(store, "v3", "v2", -0.1, 0.1)
    assert store.traffic.change(query_version="v3").query_version == "v3"
    store.traffic.change(query_version="v2")
    measured(store, "v3", "v2", -0.2, -0.1)
    with pytest.raises(
        IncompatibleError, match=r"v3 finds less than v2 among the same entries.*Stay with v2"
    ):
        store.traffic.change(query_version="v3")
