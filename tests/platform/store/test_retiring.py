"""Versions that are taken out of use."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from holdfast.adapters import LinearAdapter
from holdfast.base import ConflictError, NotFoundError
from holdfast.entries import Delete, Entries, Entry
from holdfast.store import Compatibility, Draft, Step, Store


@pytest.fixture
def ready(lineage: Store, measured: Callable[..., Compatibility]) -> Store:
    """v1, v2 and v3, each of which may search the others."""
    names = [version.name for version in lineage.versions.list()]
    pairs = [(query, gallery) for query in names for gallery in names if query != gallery]
    lineage.compatibility.record([measured(*pair) for pair in pairs])
    return lineage


def unit() -> np.ndarray:
    return np.eye(8, dtype=np.float32)[0]


def test_it_is_gone_its_files_too_and_its_name_is_never_given_again(
    ready: Store, draft: Callable[..., Draft]
) -> None:
    ready.adapters.register("v3", "v2", LinearAdapter(np.eye(8, dtype=np.float32)))
    v2, (adapter,) = ready.versions.get("v2"), ready.adapters.list()
    before = ready.nonces()
    retired = ready.versions.retire("v2")
    assert retired.retired_at is not None
    assert timedelta(0) <= datetime.now(UTC) - retired.retired_at < timedelta(minutes=5)
    assert [version.name for version in ready.versions.list()] == ["v1", "v3"]
    assert not any(ready.artifacts.exists(f"{v2.artifacts}/{file}") for file in v2.files)
    assert not ready.artifacts.exists(adapter.artifact)
    assert {(row.query, row.gallery) for row in ready.compatibility.list()} == {("v1", "v3"), ("v3", "v1")}
    after = ready.nonces()
    assert {name for name in after if after[name] != before[name]} == {"versions", "compatibility"}
    for refused in (ready.versions.get, ready.versions.load, ready.versions.retire, ready.traffic.promote):
        with pytest.raises(NotFoundError, match=r"v2 was retired on .*: the store holds v1, v3"):
            refused("v2")
    assert ready.versions.publish(draft(7, parent="v3")).name == "v4"
    ready.versions.load("v3").check()


def test_what_two_versions_share_stays(ready: Store, draft: Callable[..., Draft]) -> None:
    """The same weights, published by another run."""
    twin = ready.versions.publish(draft(0, run="b"))
    assert twin.artifacts == ready.versions.get("v1").artifacts
    ready.versions.retire("v1")
    ready.versions.load(twin.name).check()
    ready.versions.retire(twin.name)
    assert not any(ready.artifacts.exists(f"{twin.artifacts}/{file}") for file in twin.files)


def test_a_task_does_not_publish_it_again(ready: Store, draft: Callable[..., Draft]) -> None:
    ready.versions.retire("v1")
    with pytest.raises(ConflictError, match="published v1, which was retired: start the run afresh"):
        ready.versions.publish(draft(0))


def test_what_is_needed_stays_and_why_is_said(ready: Store, draft: Callable[..., Draft]) -> None:
    ready.traffic.promote("v1")
    ready.traffic.change(canary_version="v2", canary_share=0.1)
    later = datetime.now(UTC) + timedelta(hours=1)
    ready.schedules.add([Step(later, {"query_version": "v3"})], why="", made_by="")
    entries = Entries(ready)
    entries.upsert([Entry("a", "v1", unit()), Entry("b", "v1", unit())])
    ready.runs.begin("b", "hash", "v3")
    for name, reasons in {
        "v1": ("live and writing in the traffic", "2 entries of the gallery are its own"),
        "v2": ("canary in the traffic",),
        "v3": ("s1 of the schedule", "the run b starts from it"),
    }.items():
        with pytest.raises(ConflictError) as refused:
            ready.versions.retire(name)
        assert all(reason in str(refused.value) for reason in reasons), refused.value
    assert [version.name for version in ready.versions.list()] == ["v1", "v2", "v3"]
    ready.traffic.change(canary_version=None)
    ready.traffic.promote("v2", writes=True)
    ready.traffic.promote("v3", writes=True)
    entries.submit(Delete(["a", "b"]))
    ready.versions.retire("v1")
