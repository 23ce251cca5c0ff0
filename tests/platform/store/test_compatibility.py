from collections.abc import Callable
from dataclasses import replace

import pytest

from holdfast.base import NotFoundError
from holdfast.store import Compatibility, Store


def test_the_latest_measurement_of_a_pair_counts(
    lineage: Store, measured: Callable[..., Compatibility]
) -> None:
    assert lineage.compatibility.get("v2", "v1") is None
    lineage.compatibility.record([measured("v2", "v1"), measured("v3", "v1")])
    lineage.compatibility.record([measured("v2", "v1", compatible=False, value=0.5)])
    found = lineage.compatibility.get("v2", "v1")
    assert found is not None
    assert (found.compatible, found.value) == (False, 0.5)
    assert lineage.compatibility.get("v1", "v2") is None
    assert [(row.query, row.gallery, row.compatible) for row in lineage.compatibility.list()] == [
        ("v2", "v1", False),
        ("v3", "v1", True),
    ]


def test_a_measurement_comes_back_as_it_was(lineage: Store, measured: Callable[..., Compatibility]) -> None:
    row = measured("v2", "v1")
    lineage.compatibility.record([row])
    assert lineage.compatibility.list() == [row]


def test_a_version_is_compatible_with_itself(lineage: Store, measured: Callable[..., Compatibility]) -> None:
    found = lineage.compatibility.get("v1", "v1")
    assert found is not None
    assert found.compatible
    lineage.compatibility.record([measured("v1", "v1", compatible=False, value=0.4)])
    found = lineage.compatibility.get("v1", "v1")
    assert found is not None
    assert (found.compatible, found.value) == (True, 0.4)


def test_another_metric_is_kept_but_does_not_decide(
    lineage: Store, measured: Callable[..., Compatibility]
) -> None:
    lineage.compatibility.record([measured("v2", "v1")])
    lineage.compatibility.record([replace(measured("v2", "v1", compatible=False), metric="map_at_r")])
    found = lineage.compatibility.get("v2", "v1")
    assert found is not None
    assert found.compatible
    assert [row.metric for row in lineage.compatibility.list()] == ["map_at_r", "recall_at_1"]


def test_a_bad_measurement_is_refused_with_all_that_came_with_it(
    lineage: Store, measured: Callable[..., Compatibility]
) -> None:
    before = lineage.counters()["compatibility"]
    with pytest.raises(NotFoundError, match="v9"):
        lineage.compatibility.record([measured("v2", "v1"), measured("v9", "v1")])
    with pytest.raises(ValueError, match="not a number"):
        lineage.compatibility.record([measured("v2", "v1"), measured("v3", "v1", value=float("nan"))])
    assert lineage.compatibility.list() == []
    assert lineage.counters()["compatibility"] == before
    lineage.compatibility.record([measured("v2", "v1")])
    assert lineage.counters()["compatibility"] > before
