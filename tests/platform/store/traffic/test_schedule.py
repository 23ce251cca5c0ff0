"""Changes at a moment: made once, under the checks of every change, and what came of them is told."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from holdfast.base import ConfigError, ConflictError, NotFoundError, NotReadyError
from holdfast.store import Compatibility, Step, Store, ramp
from holdfast.store.database import schedule


@pytest.fixture
def ready(lineage: Store, measured: Callable[..., Compatibility]) -> Store:
    """v1 answers, v2 may."""
    lineage.compatibility.record([measured("v2", "v1")])
    lineage.traffic.promote("v1")
    return lineage


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


def come(store: Store, name: str, late: float = 0.0) -> None:
    """Let the moment of a change be now, or so many seconds ago."""
    at = datetime.now(UTC) - timedelta(seconds=late)
    with store.engine.begin() as connection:
        connection.execute(update(schedule).where(schedule.c.number == int(name[1:])).values(at=at))


def statuses(store: Store) -> dict[str, str]:
    return {each.name: each.status for each in store.schedules.all()}


def test_a_change_is_made_at_its_moment_and_once(ready: Store) -> None:
    (made,) = ready.schedules.add([Step(soon(), {"query_version": "v2"})], why="at night", made_by="ann")
    assert (made.name, made.status, made.changes) == ("s1", "waiting", {"query_version": "v2"})
    assert ready.schedules.make_due() == []
    come(ready, "s1")
    with ThreadPoolExecutor(4) as threads:
        settled = [
            each for found in threads.map(lambda _: ready.schedules.make_due(), range(4)) for each in found
        ]
    assert [(each.name, each.status, each.epoch) for each in settled] == [("s1", "done", 2)]
    record = ready.traffic.current()
    assert (record.query_version, record.made_by, record.note) == ("v2", "ann", "s1: at night")


def test_a_change_that_is_refused_says_why(ready: Store, measured: Callable[..., Compatibility]) -> None:
    ready.schedules.add([Step(soon(), {"query_version": "v3"})])
    ready.schedules.add([Step(soon(), {"query_version": "v2", "require": {"overlap": 0.9}})])
    ready.schedules.add([Step(soon(), {"query_version": "v2"})])
    for name in ("s1", "s2", "s3"):
        come(ready, name)

    def check(name: str) -> None:
        raise NotReadyError(f"{name} does not load.")

    first = ready.schedules.make_due(check)
    assert [each.status for each in first] == ["failed"] * 3
    assert {each.name: each.error for each in first}["s3"] == "v2 does not load."
    ready.schedules.add([Step(soon(), {"query_version": "v3"})])
    ready.schedules.add([Step(soon(), {"query_version": "v2", "require": {"overlap": 0.9}})])
    come(ready, "s4")
    come(ready, "s5")
    errors = [str(each.error) for each in ready.schedules.make_due()]
    assert "v3 was never measured against entries of v1" in errors[0]
    assert "is required to have answered as the shadow of v1, and there is none" in errors[1]
    assert ready.traffic.current().epoch == 1


def test_one_that_comes_late_is_made_and_one_that_comes_much_too_late_is_missed(ready: Store) -> None:
    ready.schedules.add([Step(soon(), {"canary_version": "v2", "canary_share": 0.1})])
    ready.schedules.add([Step(soon(), {"query_version": "v2"})])
    come(ready, "s1", late=600)
    come(ready, "s2", late=7200)
    ready.schedules.make_due()
    assert statuses(ready) == {"s1": "done", "s2": "missed"}
    missed = next(each for each in ready.schedules.all() if each.name == "s2")
    assert "2.0 hours ago" in str(missed.error)
    assert ready.traffic.current().canary_share == 0.1


def test_a_ramp_keeps_its_distance_and_ends_where_the_canary_does(ready: Store) -> None:
    ready.schedules.add(ramp(soon(), "v2", [0.01, 0.1, 0.5, 1.0], 600), why="slowly")
    come(ready, "s1", late=1000)
    come(ready, "s2", late=400)
    (first,) = ready.schedules.make_due()
    assert (first.name, first.status, first.series) == ("s1", "done", 1)
    second = next(each for each in ready.schedules.all() if each.name == "s2")
    assert second.at > datetime.now(UTC) + timedelta(seconds=500), "it came late, and the next one waits"
    come(ready, "s2")
    ready.schedules.make_due()
    assert ready.traffic.current().canary_share == 0.1
    ready.traffic.withdraw("v2", 3, note="it failed", made_by="holdfast")
    come(ready, "s3")
    (third,) = ready.schedules.make_due()
    assert third.status == "failed"
    assert "v2 is not the canary any more (epoch 4 by holdfast: take the canary v2 away" in str(third.error)
    assert statuses(ready) == {"s1": "done", "s2": "done", "s3": "failed", "s4": "stopped"}
    assert ready.traffic.current().canary_version is None


def test_a_change_is_taken_back_with_those_after_it(ready: Store) -> None:
    ready.schedules.add(ramp(soon(), "v2", [0.1, 0.5, 1.0], 60))
    ready.schedules.add([Step(soon(), {"query_version": "v2"})])
    assert ready.schedules.cancel("s2").status == "cancelled"
    assert statuses(ready) == {"s1": "waiting", "s2": "cancelled", "s3": "cancelled", "s4": "waiting"}
    with pytest.raises(ConflictError, match="s3 is cancelled"):
        ready.schedules.cancel("s3")
    with pytest.raises(NotFoundError, match="s1, s4 waits"):
        ready.schedules.cancel("s9")


def test_what_can_never_be_made_is_refused_at_once(ready: Store) -> None:
    for step, error, said in (
        (Step(datetime.now(UTC) - timedelta(hours=1), {"query_version": "v2"}), ConfigError, "is past"),
        (Step(datetime(2099, 1, 1), {"query_version": "v2"}), ConfigError, "no zone"),
        (Step(soon(), {"query_version": "v9"}), NotFoundError, "v9"),
        (Step(soon(), {"force": True}), ConfigError, "nothing to change"),
        (Step(soon(), {"share": 1}), ConfigError, "share"),
    ):
        with pytest.raises(error, match=said):
            ready.schedules.add([step])
    assert ready.schedules.all() == []


def test_a_canary_that_is_promoted_by_schedule_is_none_any_more(ready: Store) -> None:
    ready.traffic.change(canary_version="v2", canary_share=0.5)
    ready.schedules.add([Step(datetime.now(UTC), {"query_version": "v2"})])
    time.sleep(0.01)
    ready.schedules.make_due()
    record = ready.traffic.current()
    assert (record.query_version, record.canary_version, record.canary_share) == ("v2", None, 0.0)
