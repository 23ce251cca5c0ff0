from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from holdfast.adapters import LinearAdapter
from holdfast.base import InvalidVectorError, NotFoundError, StoreError
from holdfast.store import Compatibility, Store


@pytest.fixture
def rotation() -> Callable[..., LinearAdapter]:
    def make(seed: int = 0, source: int = 8, target: int = 8) -> LinearAdapter:
        drawn = np.random.default_rng(seed).normal(size=(source, target))
        return LinearAdapter.of(np.linalg.qr(drawn)[0] if source >= target else drawn)

    return make


def test_an_adapter_comes_back_as_it_was(lineage: Store, rotation: Callable[..., LinearAdapter]) -> None:
    assert lineage.adapters.load("v2", "v1") is None
    assert lineage.adapters.list() == []
    row = lineage.adapters.register("v3", "v1", rotation(1), {"kind": "rotation", "folds": 5})
    lineage.adapters.register("v2", "v1", rotation(2))
    found = lineage.adapters.load("v3", "v1")
    assert isinstance(found, LinearAdapter)
    assert np.array_equal(found.matrix, rotation(1).matrix)
    assert [(each.query, each.gallery) for each in lineage.adapters.list()] == [("v2", "v1"), ("v3", "v1")]
    assert lineage.adapters.list()[1] == row
    assert (row.kind, row.config) == ("linear", {"kind": "rotation", "folds": 5})
    assert lineage.adapters.load("v1", "v3") is None


def test_a_new_adapter_replaces_and_is_counted_the_same_again_is_not(
    lineage: Store, rotation: Callable[..., LinearAdapter]
) -> None:
    first = lineage.adapters.register("v2", "v1", rotation(1))
    before = lineage.counters()["compatibility"]
    assert lineage.adapters.register("v2", "v1", rotation(1)) == first
    assert lineage.counters()["compatibility"] == before
    second = lineage.adapters.register("v2", "v1", rotation(2))
    assert lineage.counters()["compatibility"] > before
    assert second.digest != first.digest
    assert lineage.adapters.list() == [second]
    before = lineage.counters()["compatibility"]
    third = lineage.adapters.register("v2", "v1", rotation(2), maps="queries")
    assert lineage.adapters.list() == [third]
    assert third.maps == "queries"
    assert lineage.counters()["compatibility"] > before


def test_only_what_was_measured_with_the_adapter_in_force_counts(
    lineage: Store, rotation: Callable[..., LinearAdapter], measured: Callable[..., Compatibility]
) -> None:
    lineage.compatibility.record([measured("v2", "v1"), measured("v3", "v1")])
    first = lineage.adapters.register("v2", "v1", rotation(1))
    assert lineage.compatibility.get("v2", "v1") is None
    assert [(row.query, row.gallery) for row in lineage.compatibility.list()] == [("v3", "v1")]

    through_first = replace(measured("v2", "v1", value=0.8), adapter=first.digest)
    lineage.compatibility.record([through_first])
    # Measured later, but not with what is in force.
    lineage.compatibility.record([replace(measured("v2", "v1", compatible=False), adapter="0" * 64)])
    assert lineage.compatibility.get("v2", "v1") == through_first
    assert through_first in lineage.compatibility.list()

    lineage.adapters.register("v2", "v1", rotation(2))
    assert lineage.compatibility.get("v2", "v1") is None
    lineage.adapters.register("v2", "v1", rotation(1), maps="queries")
    assert lineage.compatibility.get("v2", "v1") is None  # the same matrix, but the other way
    lineage.adapters.register("v2", "v1", rotation(1))
    assert lineage.compatibility.get("v2", "v1") == through_first


def test_traffic_says_that_the_pair_was_not_measured_through_its_adapter(
    lineage: Store, rotation: Callable[..., LinearAdapter], measured: Callable[..., Compatibility]
) -> None:
    lineage.traffic.promote("v1")
    lineage.compatibility.record([measured("v2", "v1")])
    row = lineage.adapters.register("v2", "v1", rotation())
    with pytest.raises(Exception, match="never measured against entries of v1 through its adapter"):
        lineage.traffic.promote("v2")
    lineage.compatibility.record([replace(measured("v2", "v1"), adapter=row.digest)])
    lineage.traffic.promote("v2")
    assert lineage.traffic.aliases()["live"] == "v2"


def test_an_adapter_leads_from_one_version_to_the_other(
    lineage: Store, rotation: Callable[..., LinearAdapter]
) -> None:
    for maps, source, target in (("entries", "v1", "v2"), ("queries", "v2", "v1")):
        message = rf"from 16 to 8 dimensions does not lead from {source} \(8\)"
        with pytest.raises(InvalidVectorError, match=message):
            lineage.adapters.register("v2", "v1", rotation(source=16), maps=maps)
        with pytest.raises(InvalidVectorError, match=rf"to {target} \(8\)"):
            lineage.adapters.register("v2", "v1", rotation(target=4), maps=maps)
    with pytest.raises(NotFoundError, match="v9"):
        lineage.adapters.register("v9", "v1", rotation())
    assert lineage.adapters.list() == []


@pytest.mark.parametrize("how", ["missing", "damaged"])
def test_a_spoilt_file_is_noticed_and_mended_by_registering_again(
    lineage: Store, rotation: Callable[..., LinearAdapter], how: str
) -> None:
    row = lineage.adapters.register("v2", "v1", rotation())
    assert lineage.artifacts.root is not None
    file = lineage.artifacts.root / row.artifact
    data = bytearray(file.read_bytes())
    if how == "missing":
        file.unlink()
    else:
        data[-1] ^= 1
        file.write_bytes(data)
    with pytest.raises(StoreError, match=f"between v2 and v1 .* is {how}: fit it again"):
        lineage.adapters.load("v2", "v1")
    assert lineage.adapters.register("v2", "v1", rotation()) == row
    assert lineage.adapters.load("v2", "v1") is not None
