"""The compatibility matrix: a verdict for every ordered pair, why, and the same rules as elsewhere."""

from collections.abc import Callable

import numpy as np
import pytest
from sqlalchemy import update

from holdfast.adapters import LinearAdapter
from holdfast.base import IncompatibleError
from holdfast.entries import Entry
from holdfast.search import Gallery, Pair, compatibility_matrix
from holdfast.store import Compatibility, Store, incompatibility, metadata, reading, writing


@pytest.fixture
def pairs(store: Store) -> dict[tuple[str, str], Pair]:
    """Four versions, of which v3 is a projection over v1; one measurement of each kind."""
    table = metadata.tables["versions"]
    with writing(store.engine) as connection:
        connection.execute(update(table).where(table.c.name == "v3").values(base="v1"))
    store.adapters.register("v3", "v1", LinearAdapter.of(np.eye(8)), maps="entries")
    store.compatibility.record(
        [
            Compatibility("v2", "v1", 60.0, 50.0, 8.0, 12.0, True, "e"),
            Compatibility("v2", "v3", 50.5, 50.0, -1.0, 2.0, True, "e"),
            Compatibility("v4", "v1", 1.0, 50.0, -51.0, -47.0, False, "e"),
            Compatibility("v1", "v2", 60.0, 50.0, 8.0, 12.0, True, "e", truth="agreement"),
        ]
    )
    return {(pair.query, pair.gallery): pair for pair in compatibility_matrix(store)}


def test_every_pair_has_its_verdict(pairs: dict[tuple[str, str], Pair]) -> None:
    assert len(pairs) == 16
    verdicts = {name: pair.verdict for name, pair in pairs.items()}
    assert verdicts["v1", "v1"] == "self"
    assert verdicts["v2", "v1"] == "compatible"
    assert verdicts["v2", "v3"] == "undecided"
    assert verdicts["v4", "v1"] == "incompatible"
    assert verdicts["v1", "v4"] == "unmeasured"
    assert verdicts["v3", "v1"] == "exact"


def test_provisional_is_good_enough_to_search_and_not_to_promote(pairs: dict[tuple[str, str], Pair]) -> None:
    pair = pairs["v1", "v2"].as_dict()
    assert (pair["searches"], pair["promotes"], pair["provisional"]) == (True, False, True)
    assert pair["command"] == "holdfast bridge v2 v1 --labels ATTRIBUTE"


def test_the_way_the_reason_and_the_next_command_are_named(pairs: dict[tuple[str, str], Pair]) -> None:
    bad = pairs["v4", "v1"].as_dict()
    assert (bad["searches"], bad["promotes"], bad["way"]) == (False, False, "as_they_are")
    assert bad["why"].startswith("v4 is not compatible with entries of v1")
    assert bad["command"] == "holdfast bridge v1 v4"
    good = pairs["v2", "v1"].as_dict()
    assert (good["why"], good["remedy"], good["command"]) == (None, None, None)
    assert pairs["v3", "v1"].way == "exact"


def test_it_agrees_with_promotion_and_with_search(
    store: Store, pairs: dict[tuple[str, str], Pair], vectors: Callable[..., np.ndarray]
) -> None:
    with reading(store.engine) as connection:
        for (query, gallery), pair in pairs.items():
            assert pair.problem == incompatibility(connection, query, gallery)
    gallery = Gallery(store)
    gallery.upsert([Entry(name, name, row) for name, row in zip(("v1", "v2"), vectors(2), strict=True)])
    for query in ("v1", "v2", "v3"):
        for name in ("v1", "v2"):
            try:
                found = bool(gallery.search(vectors(1)[0], query, k=3, versions=[name]).hits)
            except IncompatibleError:
                found = False
            assert found == pairs[query, name].searches, (query, name)
