from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert

from holdfast.base import ConfigError, ConflictError, IncompatibleError, NotFoundError, StaleEpochError
from holdfast.store import Compatibility, Store, Traffic
from holdfast.store.database.schema import entries


@pytest.fixture
def put(lineage: Store) -> Callable[..., None]:
    numbers = iter(range(1, 100))

    def write(version: str, deleted: bool = False) -> None:
        seq = next(numbers)
        with lineage.engine.begin() as connection:
            connection.execute(
                insert(entries).values(
                    id=f"e{seq}",
                    seq=seq,
                    version=version,
                    vector=None if deleted else b"",
                    attributes={},
                    deleted=deleted,
                    updated_at=datetime.now(UTC),
                )
            )

    return write


def test_before_the_first_record_nothing_is_served(store: Store) -> None:
    assert store.traffic.current() == Traffic()
    assert store.traffic.history() == []


def test_the_first_promotion_throws_both_switches(lineage: Store) -> None:
    record = lineage.traffic.promote("v2")
    assert (record.epoch, record.query_version, record.write_version) == (1, "v2", "v2")
    assert not record.forced
    assert lineage.traffic.current() == record
    assert lineage.traffic.aliases() == {"live": "v2", "writing": "v2"}


def test_a_provisional_measurement_is_refused_with_what_would_do(
    lineage: Store, measured: Callable[..., Compatibility]
) -> None:
    lineage.traffic.promote("v1")
    lineage.compatibility.record([replace(measured("v2", "v1"), truth="views")])
    with pytest.raises(IncompatibleError, match=r"is provisional\. .*bridge v1 v2 with --labels or --relev"):
        lineage.traffic.promote("v2")


def test_an_unmeasured_version_is_refused_unless_forced(
    lineage: Store, measured: Callable[..., Compatibility]
) -> None:
    lineage.traffic.promote("v1")
    with pytest.raises(IncompatibleError, match="v2 was never measured against entries of v1"):
        lineage.traffic.promote("v2")
    lineage.compatibility.record([measured("v2", "v1", compatible=False)])
    with pytest.raises(IncompatibleError, match=r"v2 is not compatible with entries of v1 .*0\.6"):
        lineage.traffic.promote("v2")
    assert lineage.traffic.current().epoch == 1
    forced = lineage.traffic.promote("v2", force=True)
    assert forced.forced
    assert forced.query_version == "v2"
    assert forced.write_version == "v1"


def test_force_that_was_not_needed_is_not_recorded(
    lineage: Store, measured: Callable[..., Compatibility]
) -> None:
    lineage.compatibility.record([measured("v2", "v1")])
    lineage.traffic.promote("v1")
    assert not lineage.traffic.promote("v2", force=True).forced


def test_promotion_and_rollback_of_the_query_version_alone_need_no_reverse_measurement(
    lineage: Store, measured: Callable[..., Compatibility]
) -> None:
    lineage.compatibility.record([measured("v2", "v1")])
    lineage.traffic.promote("v1")
    lineage.traffic.promote("v2")
    back = lineage.traffic.rollback()
    assert (back.epoch, back.query_version, back.write_version) == (3, "v1", "v1")
    assert lineage.traffic.aliases() == {"live": "v1", "writing": "v1", "previous": "v2"}


def test_a_rollback_to_a_version_that_cannot_search_the_new_entries_is_refused(
    lineage: Store, measured: Callable[..., Compatibility], put: Callable[..., None]
) -> None:
    lineage.compatibility.record([measured("v2", "v1")])
    lineage.traffic.promote("v1")
    lineage.traffic.promote("v2")
    assert lineage.traffic.promote("v2", writes=True).write_version == "v2"
    lineage.traffic.rollback()  # the second switch alone
    put("v2")
    with pytest.raises(IncompatibleError, match="v1 was never measured against entries of v2"):
        lineage.traffic.change(query_version="v1")
    lineage.compatibility.record([measured("v1", "v2")])
    assert lineage.traffic.change(query_version="v1").query_version == "v1"


def test_every_version_with_entries_counts_but_not_deleted_ones(
    lineage: Store, measured: Callable[..., Compatibility], put: Callable[..., None]
) -> None:
    put("v2", deleted=True)
    lineage.compatibility.record([measured("v3", "v1")])
    lineage.traffic.promote("v1")
    lineage.traffic.promote("v3")
    lineage.traffic.rollback()
    put("v2")
    with pytest.raises(IncompatibleError, match="v3 was never measured against entries of v2"):
        lineage.traffic.promote("v3")


def test_a_canary_is_checked_as_a_query_version(
    lineage: Store, measured: Callable[..., Compatibility]
) -> None:
    lineage.traffic.promote("v1")
    with pytest.raises(IncompatibleError):
        lineage.traffic.change(canary_version="v2", canary_share=0.1)
    lineage.compatibility.record([measured("v2", "v1")])
    record = lineage.traffic.change(canary_version="v2", canary_share=0.1)
    assert (record.canary_version, record.canary_share) == ("v2", 0.1)
    assert lineage.traffic.aliases()["canary"] == "v2"
    promoted = lineage.traffic.promote("v2")
    assert (promoted.query_version, promoted.canary_version, promoted.canary_share) == ("v2", None, 0.0)
    assert lineage.traffic.rollback().canary_share == 0.1


def test_dropping_the_canary_drops_its_share(lineage: Store, measured: Callable[..., Compatibility]) -> None:
    lineage.compatibility.record([measured("v2", "v1")])
    lineage.traffic.promote("v1")
    lineage.traffic.change(canary_version="v2", canary_share=0.5)
    assert lineage.traffic.change(canary_version=None).canary_share == 0.0


def test_a_canary_for_keys_is_dropped_brought_back_and_refused_without_a_version(
    lineage: Store, measured: Callable[..., Compatibility]
) -> None:
    lineage.compatibility.record([measured("v2", "v1")])
    lineage.traffic.promote("v1")
    with pytest.raises(ConfigError, match="canary_keys"):
        lineage.traffic.change(canary_keys=["team"])
    record = lineage.traffic.change(canary_version="v2", canary_keys=["team", "shop", "team"], made_by="me")
    assert (record.canary_keys, record.made_by) == (("team", "shop"), "me")
    assert lineage.traffic.current() == record
    assert lineage.traffic.change(note="something else").made_by == ""
    assert lineage.traffic.change(canary_version=None).canary_keys == ()
    assert lineage.traffic.rollback(made_by="you").canary_keys == ("team", "shop")
    assert lineage.traffic.current().made_by == "you"
    assert lineage.traffic.promote("v2").canary_keys == ()


@pytest.mark.parametrize(
    "change",
    [
        {"canary_share": 0.5},
        {"canary_version": "v1", "canary_share": 1.5},
        {"canary_version": "v1", "canary_share": float("nan")},
        {"query_version": None},
    ],
)
def test_an_impossible_record_is_refused(lineage: Store, change: dict[str, object]) -> None:
    lineage.traffic.promote("v1")
    with pytest.raises(ConfigError):
        lineage.traffic.change(**change)
    assert lineage.traffic.current().epoch == 1


def test_an_unknown_version_is_refused_even_with_force(lineage: Store) -> None:
    with pytest.raises(NotFoundError, match="v1, v2, v3"):
        lineage.traffic.promote("v4", force=True)
    with pytest.raises(NotFoundError):
        lineage.traffic.promote("live")


def test_a_stale_epoch_is_refused(lineage: Store) -> None:
    record = lineage.traffic.promote("v1", expect_epoch=0)
    with pytest.raises(StaleEpochError, match="at epoch 1, not 0"):
        lineage.traffic.change(0, query_version="v1")
    assert lineage.traffic.change(record.epoch, note="again").epoch == 2


def test_of_many_changes_of_one_epoch_one_succeeds(lineage: Store) -> None:
    lineage.traffic.promote("v1")

    def change(number: int) -> bool:
        try:
            lineage.traffic.change(1, note=str(number))
        except StaleEpochError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(change, range(8))) == 1
    assert [record.epoch for record in lineage.traffic.history()] == [1, 2]


def test_what_has_nothing_before_it_is_not_rolled_back(
    lineage: Store, measured: Callable[..., Compatibility]
) -> None:
    lineage.compatibility.record([measured("v2", "v1")])
    with pytest.raises(ConflictError, match="nothing to roll back"):
        lineage.traffic.rollback()
    lineage.traffic.promote("v1")
    with pytest.raises(ConflictError, match="nothing to roll back"):
        lineage.traffic.rollback()
    lineage.traffic.promote("v2")
    lineage.traffic.change(note="nothing changes")
    assert lineage.traffic.rollback().query_version == "v1"
    with pytest.raises(ConflictError, match="nothing to roll back to"):
        lineage.traffic.rollback()
    assert [record.epoch for record in lineage.traffic.history()] == [1, 2, 3, 4]


def test_each_rollback_goes_further_back_and_a_new_change_begins_anew(
    lineage: Store, measured: Callable[..., Compatibility]
) -> None:
    names = ("v1", "v2", "v3")
    lineage.compatibility.record([measured(a, b) for a in names for b in names if a != b])
    for name in names:
        lineage.traffic.promote(name)
    assert [lineage.traffic.rollback().query_version for _ in range(2)] == ["v2", "v1"]
    with pytest.raises(ConflictError, match="nothing to roll back to"):
        lineage.traffic.rollback()
    lineage.traffic.promote("v3", note="roll back to 1")  # says so, and is none
    assert lineage.traffic.rollback(note="once more").query_version == "v1"
    assert lineage.traffic.current().note == "roll back to 5: once more"
    with pytest.raises(StaleEpochError):
        lineage.traffic.rollback(6)
