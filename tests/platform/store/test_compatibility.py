from collections.abc import Callable
from dataclasses import replace

import pytest

from holdfast.base import NotFoundError
from holdfast.store import Compatibility, Store


def test_the_latest_measurement_of_a_pair_counts(
    lineage: Store, measured: Callable[..., Compatibility]
) -> None:
    assert lineage.compatible("v2", "v1") is None
    lineage.record_compatibility([measured("v2", "v1"), measured("v3", "v1")])
    lineage.record_compatibility([measured("v2", "v1", compatible=False, value=0.5)])
    found = lineage.compatible("v2", "v1")
    assert found is not None
    assert (found.compatible, found.value) == (False, 0.5)
    assert lineage.compatible("v1", "v2") is None
    assert [(row.query, row.gallery, row.compatible) for row in lineage.compatibility()] == [
        ("v2", "v1", False),
        ("v3", "v1", True),
    ]


def test_a_measurement_comes_back_as_it_was(lineage: Store, measured: Callable[..., Compatibility]) -> None:
    row = measured("v2", "v1")
    lineage.record_compatibility([row])
    assert lineage.compatibility() == [row]


def test_a_version_is_compatible_with_itself(lineage: Store, measured: Callable[..., Compatibility]) -> None:
    found = lineage.compatible("v1", "v1")
    assert found is not None
    assert found.compatible
    lineage.record_compatibility([measured("v1", "v1", compatible=False, value=0.4)])
    found = lineage.compatible("v1", "v1")
    assert found is not None
    assert (found.compatible, found.value) == (True, 0.4)


def test_another_metric_is_kept_but_does_not_decide(
    lineage: Store, measured: Callable[..., Compatibility]
) -> None:
    lineage.record_compatibility([measured("v2", "v1")])
    lineage.record_compatibility([replace(measured("v2", "v1", compatible=False), metric="map_at_r")])
    found = lineage.compatible("v2", "v1")
    assert found is not None
    assert found.compatible
    assert [row.metric for row in lineage.compatibility()] == ["map_at_r", "recall_at_1"]


def test_a_bad_measurement_is_refused_with_all_that_came_with_it(
    lineage: Store, measured: Callable[..., Compatibility]
) -> None:
    before = lineage.counters()["compatibility"]
    with pytest.raises(NotFoundError, match="v9"):
        lineage.record_compatibility([measured("v2", "v1"), measured("v9", "v1")])
    with pytest.raises(ValueError, match="not a number"):
        lineage.record_compatibility([measured("v2", "v1"), measured("v3", "v1", value=float("nan"))])
    assert lineage.compatibility() == []
    assert lineage.counters()["compatibility"] == before
    lineage.record_compatibility([measured("v2", "v1")])
    assert lineage.counters()["compatibility"] > before
