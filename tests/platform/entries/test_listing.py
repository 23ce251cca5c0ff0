import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.entries import DeleteMatching, Entries, Entry, InvalidEntryError, Matching
from holdfast.filters import parse_filter
from holdfast.index import Columns
from holdfast.store import Store
from holdfast.testing.filters import ATTRIBUTES, filters, matches


def test_sql_and_columns_filter_as_the_plainest_words_do(store: Store, entry: Callable[..., Entry]) -> None:
    """One reference for both, over attributes and filters that neither has seen."""
    entries = Entries(store)
    names = [f"e{n:02}" for n in range(16)]
    entries.upsert([entry(name) for name in names])

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        attributes=st.lists(ATTRIBUTES, min_size=16, max_size=16),
        asked=st.lists(filters(), min_size=8, max_size=8),
    )
    def check(attributes: list[dict[str, Any]], asked: list[dict[str, Any]]) -> None:
        entries.upsert([entry(name, **given) for name, given in zip(names, attributes, strict=True)])
        columns = Columns()
        columns.resize(16)
        columns.set(np.arange(16), [json.dumps(each) for each in attributes])
        for raw in asked:
            allowed = parse_filter(raw)
            assert allowed is not None
            expected = [matches(each, raw) for each in attributes]
            assert columns.mask(allowed).tolist() == expected
            page = entries.page(Matching(allowed))
            assert [each.id for each in page.entries] == [
                name for name, holds in zip(names, expected, strict=True) if holds
            ]
            assert entries.count_matching(Matching(allowed)) == sum(expected)

    check()


def test_pages_come_in_the_order_of_ids_and_end(store: Store, entry: Callable[..., Entry]) -> None:
    entries = Entries(store)
    names = [f"e{n:02}" for n in range(11)]
    entries.upsert([entry(name, f"v{n % 2 + 1}", even=n % 2 == 0) for n, name in enumerate(names)])
    entries.delete(["e04"])
    found, after = [], None
    while True:
        page = entries.page(after=after, limit=4)
        found.append([each.id for each in page.entries])
        if (after := page.next) is None:
            break
    left = [name for name in names if name != "e04"]
    assert found == [left[:4], left[4:8], left[8:]]
    # A page that ends with the last entry says so.
    assert entries.page(after="e06", limit=4).next is None
    assert [each.id for each in entries.page(Matching(versions=("v2",)), "e05", 2).entries] == ["e07", "e09"]
    assert entries.count_matching(Matching(parse_filter({"even": True}), ("v1", "v2"))) == 5
    assert entries.count_matching(Matching(parse_filter({"even": True}), ("v2",))) == 0


@pytest.mark.parametrize("near", [0, 1, 4, 11])
def test_pages_are_the_same_however_far_away_their_entries_lie(
    store: Store, entry: Callable[..., Entry], monkeypatch: pytest.MonkeyPatch, near: int
) -> None:
    """Ids are written in an order of their own; matching ones lie at the beginning, the end, or both."""
    monkeypatch.setattr("holdfast.entries.listing.NEAR", near)
    monkeypatch.setattr("holdfast.entries.listing.FOR_ONE", 0)
    entries = Entries(store)
    order = [7, 2, 9, 0, 11, 5, 3, 8, 1, 10, 6, 4]
    entries.upsert(
        [entry(f"e{n:02}", f"v{n % 2 + 1}", end=n in (0, 10, 11), half=n > 5, some=n % 3) for n in order]
    )
    entries.delete(["e10"])
    for raw, versions, expected in (
        ({"end": True}, None, [0, 11]),
        ({"half": True}, None, [6, 7, 8, 9, 11]),
        ({"some": 1}, ("v1",), [4]),
        (None, ("v2",), [1, 3, 5, 7, 9, 11]),
        ({"some": 7}, None, []),
    ):
        wanted = Matching(parse_filter(raw), versions)
        found: list[str] = []
        after = None
        while True:
            page = entries.page(wanted, after, 2)
            found += [each.id for each in page.entries]
            if (after := page.next) is None:
                break
        assert found == [f"e{n:02}" for n in expected]


def test_what_matches_is_deleted_in_transactions_of_some(
    store: Store, entry: Callable[..., Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.entries.entries.DELETED", 3)
    entries = Entries(store)
    before = entries.upsert([entry(f"e{n:02}", color="red" if n % 2 else "blue") for n in range(20)])
    red = Matching(parse_filter({"color": "red"}))
    assert entries.delete_matching(red) == 10
    assert entries.last_seq() == before + 10
    assert [each.attributes["color"] for each in entries.page().entries] == ["blue"] * 10
    assert entries.delete_matching(red) == 0


def test_what_no_longer_matches_when_it_would_be_deleted_stays(
    store: Store, entry: Callable[..., Entry]
) -> None:
    entries = Entries(store)
    entries.upsert([entry("a", color="red"), entry("b", color="red"), entry("c", color="red")])
    red = Matching(parse_filter({"color": "red"}))
    ids = entries.ids_matching(red, None, 10)
    entries.upsert([entry("a", color="blue")])
    entries.delete(["b"])
    assert entries.submit(DeleteMatching(ids, red)) == 1
    assert [each.id for each in entries.page().entries] == ["a"]


def test_lists_of_plain_values_are_attributes(store: Store, entry: Callable[..., Entry]) -> None:
    entries = Entries(store)
    given = entry("a", tags=["red", 1, True, 0.5], none=[], numbers=np.arange(2), pair=("x", None))
    entries.upsert([given])
    found = entries.get("a").attributes
    assert found == {"tags": ["red", 1, True, 0.5], "none": [], "numbers": [0, 1], "pair": ["x"]}
    for bad in ([["red"]], [{"a": 1}], [float("nan"), float("inf")], ["a\0"], list(range(257))):
        with pytest.raises(InvalidEntryError, match=r"tags|NUL"):
            entries.upsert([entry("a", tags=bad)])
