"""A shadow, a gate, a ramp and a moment, from the command line."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from holdfast.store import Compatibility, Store, Tally
from holdfast.testing import tiny_store

Holdfast = Callable[..., Any]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """v1 answers, v2 may."""
    with tiny_store(tmp_path / "store") as made:
        made.traffic.promote("v1")
        yield made


@pytest.fixture
def call(holdfast: Holdfast, store: Store) -> Holdfast:
    return lambda *words: holdfast(*words, "--store", store.where)


def words(shown: str) -> str:
    return " ".join(shown.split())


def test_a_shadow_is_asked_watched_and_required(call: Holdfast, store: Store) -> None:
    assert "There is no shadow" in call("traffic", "--shadow").err
    made = call("promote", "v2", "--shadow", "0.5")
    assert "queries by v1, 50% of them once more by v2, unseen" in words(made.err)
    assert "shadow: none to v2 (50%)" in words(call("traffic").out)
    gate = ("--require-shadow", "queries=100,overlap=0.8")
    assert "queries is 0 and has to be 100 at least" in call("promote", "v2", *gate).sentence
    found, since = Tally(), store.shadows.began()
    for _ in range(200):
        found.compared(["a", "b"], ["b", "a"], 0.010, 0.012)
    found.failed("internal", "it broke")
    assert since is not None
    store.shadows.put(since, "a gateway", found)
    told = words(call("traffic", "--shadow").out)
    assert "v2 beside v1, 50% of its queries, since epoch 2." in told
    assert "queries that both answered 200" in told
    assert "The last error: it broke" in told
    figures = call("traffic", "--shadow", "--json").json
    assert (figures["queries"], figures["overlap"]["low"], figures["failed"]) == (200, 1.0, 1)
    record = call("promote", "v2", *gate, "--why", "it has shown it", "--json").json
    assert (record["query_version"], record["shadow_version"]) == ("v2", None)
    assert record["note"].startswith("it has shown it (as the shadow 200 queries, overlap 1 [1, 1])")


def test_promoting_says_what_is_searched_in_a_cascade_alone(call: Holdfast, store: Store) -> None:
    assert "cascade" not in call("promote", "v2").err
    call("promote", "v1")
    by_map = Compatibility("v2", "v1", 40.0, 50.0, -12.0, -8.0, False, "test")
    store.compatibility.record(
        [by_map, replace(by_map, value=60.0, low=8.0, high=12.0, compatible=True, candidates=10)]
    )
    told = words(call("promote", "v2").err)
    assert "v2 searches entries of v1 in a cascade alone" in told
    assert "(--sources)" in told


def test_a_shadow_ends(call: Holdfast, store: Store) -> None:
    call("promote", "v2", "--shadow", "1")
    assert call("promote", "v2", "--shadow", "0", "--json").json["shadow_version"] is None


def test_a_promotion_at_a_moment(call: Holdfast, store: Store) -> None:
    made = call("promote", "v2", "--writes", "--at", "2099-12-01T03:00+01:00", "--why", "at night")
    assert made.code == 0, made.err
    assert "s1, 2099-12-01 02:00:00 UTC: query_version v2, write_version v2." in words(made.err)
    assert store.traffic.current().epoch == 1
    assert "waiting at night" in words(call("traffic", "--schedule").out)
    assert call("traffic", "--cancel", "s1", "--json").json["status"] == "cancelled"
    assert "s1 is cancelled" in call("traffic", "--cancel", "s1").sentence


def test_a_ramp_begins_now_and_goes_on_by_itself(call: Holdfast, store: Store) -> None:
    made = call("promote", "v2", "--canary", "0.01,0.1,1", "--every", "10m", "--json").json
    assert (made["record"]["canary_version"], made["record"]["canary_share"]) == ("v2", 0.01)
    assert [each["changes"]["canary_share"] for each in made["scheduled"]] == [0.1, 1]
    assert [each.expect_canary for each in store.schedules.all()] == ["v2", "v2"]
    first, second = store.schedules.all()
    assert (second.at - first.at).total_seconds() == 600


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--canary", "0.1,0.5"), "--every"),
        (("--canary", "0.1", "--every", "10m"), "--every"),
        (("--canary", "0.1,0.5", "--every", "soon"), "--every"),
        (("--canary", "0.1,many"), "--canary"),
        (("--shadow", "1", "--writes"), "--shadow"),
        (("--shadow", "1.5"), "shadow_share"),
        (("--at", "tomorrow"), "--at"),
        (("--at", "2099-12-01T03:00"), "zone"),
        (("--at", "2019-12-01T03:00Z"), "past"),
        (("--require-shadow", "overlap"), "overlap"),
        (("--require-shadow", "speed=1"), "speed"),
        (("--require-shadow", "overlap=2"), "overlap"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    call: Holdfast, store: Store, options: tuple[str, ...], said: str
) -> None:
    assert said in call("promote", "v2", *options).sentence
    assert store.traffic.current().epoch == 1
    assert store.schedules.all() == []
