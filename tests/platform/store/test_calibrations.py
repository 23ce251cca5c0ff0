import math
from dataclasses import replace

import numpy as np
import pytest

from holdfast.adapters import LinearAdapter
from holdfast.base import NotFoundError
from holdfast.store import MeasuredCalibration, Store


def turned(seed: int) -> LinearAdapter:
    return LinearAdapter.of(np.linalg.qr(np.random.default_rng(seed).normal(size=(8, 8)))[0])


def test_a_calibration_comes_back_as_it_was_and_a_new_one_takes_its_place(lineage: Store) -> None:
    assert lineage.calibrations.list() == []
    first = MeasuredCalibration("v3", "v1", -0.05, None, 1.5, 1.1, 1.9, {"images": 3000})
    other = MeasuredCalibration("v1", "v3", 0.25)
    before = lineage.counters()["compatibility"]
    lineage.calibrations.record([first, other])
    assert lineage.calibrations.list() == [other, first]
    assert lineage.counters()["compatibility"] > before
    second = replace(first, shift=-0.01, low=None)
    lineage.calibrations.record([second])
    assert lineage.calibrations.list() == [other, second]
    lineage.calibrations.record([])
    assert lineage.calibrations.list() == [other, second]


def test_it_counts_with_the_adapter_that_it_was_measured_with(lineage: Store) -> None:
    without = MeasuredCalibration("v2", "v1", 0.1)
    lineage.calibrations.record([without])
    row = lineage.adapters.register("v2", "v1", turned(1))
    assert lineage.calibrations.list() == []
    through = replace(without, adapter=row.digest)
    lineage.calibrations.record([through])
    assert lineage.calibrations.list() == [through]
    lineage.adapters.register("v2", "v1", turned(2))
    assert lineage.calibrations.list() == []
    lineage.adapters.register("v2", "v1", turned(1), maps="queries")
    assert lineage.calibrations.list() == []
    lineage.adapters.register("v2", "v1", turned(1))
    assert lineage.calibrations.list() == [through]


@pytest.mark.parametrize("change", [{"shift": math.inf}, {"shift": math.nan}, {"gain": math.nan}])
def test_what_would_turn_a_ranking_round_is_refused_whole(lineage: Store, change: dict[str, float]) -> None:
    good = MeasuredCalibration("v2", "v1", 0.1)
    with pytest.raises(ValueError, match=r"cannot rank entries by v1|is not a number"):
        lineage.calibrations.record([replace(good, query="v3"), replace(good, **change)])
    assert lineage.calibrations.list() == []
    with pytest.raises(NotFoundError, match="v9"):
        lineage.calibrations.record([good, replace(good, gallery="v9")])
    assert lineage.calibrations.list() == []
