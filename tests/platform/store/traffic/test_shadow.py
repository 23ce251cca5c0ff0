"""The figures of a shadow in the store, and what is required of them."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from holdfast.base import ConfigError
from holdfast.store import Compatibility, GateError, ShadowGate, Store, Tally
from tests.platform.store.traffic.test_figures import tally


@pytest.fixture
def shadowed(lineage: Store, measured: Callable[..., Compatibility]) -> Store:
    """v2 is the shadow of v1, and may take over."""
    lineage.compatibility.record([measured("v2", "v1"), measured("v3", "v1")])
    lineage.traffic.promote("v1")
    lineage.traffic.change(shadow_version="v2")
    return lineage


def put(store: Store, source: str, found: Tally) -> None:
    since = store.shadows.began()
    assert since is not None
    store.shadows.put(since, source, found)


def queries(store: Store) -> int:
    found = store.shadows.current()
    assert found is not None
    return found.figures.queries


def test_processes_add_up_and_a_repeated_write_changes_nothing(shadowed: Store) -> None:
    assert queries(shadowed) == 0
    for _ in range(2):
        put(shadowed, "a", tally(5, 9))
    put(shadowed, "b", tally(7, 9))
    assert queries(shadowed) == 12
    put(shadowed, "a", tally(6, 9))
    assert queries(shadowed) == 13


def test_another_pair_begins_anew_and_a_share_or_a_canary_does_not(shadowed: Store) -> None:
    put(shadowed, "a", tally(5, 9))
    shadowed.traffic.change(shadow_share=0.5, note="less")
    shadowed.traffic.change(canary_version="v2", canary_share=0.1)
    found = shadowed.shadows.current()
    assert found is not None
    assert (found.live, found.shadow, found.share, found.since.epoch) == ("v1", "v2", 0.5, 2)
    assert found.figures.queries == 5
    shadowed.traffic.change(shadow_version="v3")
    assert queries(shadowed) == 0
    shadowed.traffic.change(shadow_version="v2")
    assert queries(shadowed) == 0
    put(shadowed, "a", tally(1, 9))
    assert queries(shadowed) == 1


def test_a_shadow_ends_once_it_answers(shadowed: Store) -> None:
    assert shadowed.traffic.aliases()["shadow"] == "v2"
    record = shadowed.traffic.promote("v2")
    assert (record.shadow_version, record.shadow_share) == (None, 1.0)
    assert shadowed.shadows.current() is None
    assert shadowed.shadows.began() is None
    back = shadowed.traffic.rollback()
    assert (back.query_version, back.shadow_version) == ("v1", None)


def test_a_rollback_leaves_the_shadow(shadowed: Store) -> None:
    shadowed.traffic.change(canary_version="v3", canary_share=0.1)
    assert shadowed.traffic.rollback().shadow_version == "v2"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"shadow_version": "v1"}, "another version"),
        ({"shadow_share": 1.5}, "from 0 to 1"),
        ({"shadow_version": None, "shadow_share": 0.5}, "no shadow_version"),
    ],
)
def test_an_impossible_shadow_is_refused(shadowed: Store, change: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        shadowed.traffic.change(**change)  # type: ignore[arg-type]


def test_a_shadow_need_not_be_compatible_with_anything(lineage: Store) -> None:
    lineage.traffic.promote("v1")
    assert lineage.traffic.change(shadow_version="v3").shadow_version == "v3"


def test_the_gate_judges_by_the_worse_end_and_says_which_figure(shadowed: Store) -> None:
    gate = ShadowGate(queries=100, overlap=0.85, errors=0.03, latency_ratio=1.5)
    with pytest.raises(GateError, match="queries is 0 and has to be 100 at least"):
        shadowed.traffic.promote("v2", require=gate)
    found = tally(70, 10) + tally(30, 5, slower=2.0)
    put(shadowed, "a", found)
    with pytest.raises(GateError) as refused:
        shadowed.traffic.promote("v2", require=gate)
    said = str(refused.value)
    assert "overlap is 0.85, 0.8" in said, "as it is, it would do"
    assert "errors is 0, 0.03699" in said
    assert "(none in 100; 125 without one would do)" in said
    assert "queries is" not in said
    assert "latency_ratio" not in said
    with pytest.raises(GateError, match="it is known which entries are relevant"):
        shadowed.traffic.promote("v2", require=ShadowGate(negative_flips=0.1))
    with pytest.raises(GateError):
        shadowed.traffic.promote("v2", require=gate, force=True)
    assert shadowed.traffic.current().query_version == "v1"
    put(shadowed, "b", tally(60, 10))
    record = shadowed.traffic.promote("v2", require=gate, note="it is time")
    assert record.query_version == "v2"
    assert record.note.startswith("it is time (as the shadow 160 queries, overlap 0.9062 [0.8")
    assert not record.forced


def test_the_gate_judges_the_shadow_alone_and_canaries_too(shadowed: Store) -> None:
    gate = ShadowGate(overlap=0.5)
    put(shadowed, "a", tally(40, 9))
    with pytest.raises(GateError, match=r"v3 is required .* that is v2: .*promote v3 --shadow 1"):
        shadowed.traffic.promote("v3", require=gate)
    with pytest.raises(GateError, match="v3"):
        shadowed.traffic.change(canary_version="v3", canary_share=0.1, require=gate)
    with pytest.raises(ConfigError, match="names none"):
        shadowed.traffic.change(shadow_share=0.5, require=gate)
    assert shadowed.traffic.change(canary_version="v2", canary_share=0.1, require=gate).canary_share == 0.1


def test_a_gate_that_requires_nothing_is_none() -> None:
    with pytest.raises(ValueError, match="nothing is required"):
        ShadowGate()


def test_what_is_withdrawn_goes_back_to_the_version_before(
    shadowed: Store, measured: Callable[..., Compatibility]
) -> None:
    shadowed.compatibility.record([measured("v1", "v2")])
    shadowed.traffic.promote("v2", writes=True)
    shadowed.traffic.change(canary_version="v3", canary_share=0.2, force=True)
    canary = shadowed.traffic.withdraw("v3", 4, note="it failed", made_by="holdfast")
    assert (canary.canary_version, canary.canary_share, canary.query_version) == (None, 0.0, "v2")
    assert (canary.note, canary.made_by) == ("take the canary v3 away: it failed", "holdfast")
    began, before = shadowed.traffic.took_over()
    assert before is not None
    assert (began.epoch, before.epoch) == (3, 2)
    back = shadowed.traffic.withdraw("v2", 5, note="it failed, too", made_by="holdfast")
    assert (back.query_version, back.write_version) == ("v1", "v1")
    assert back.note == "roll back to 2: it failed, too"
    assert replace(shadowed.traffic.current(), created_at=None) == replace(back, created_at=None)
