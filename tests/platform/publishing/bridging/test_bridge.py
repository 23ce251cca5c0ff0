"""A bridge between two versions of which only vectors are known."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from holdfast.base import ConfigError, DataError, HoldfastError
from holdfast.learning import ignore_progress
from holdfast.publishing import Bridge, BridgeRequest, bridge_versions
from holdfast.store import Store
from tests.platform.publishing.bridging.conftest import Planted

Plant = Callable[..., Planted]


@pytest.fixture
def bridge(
    store: Store, fill: Callable[[Planted], None], pairs_file: Callable[[Planted], Path]
) -> Callable[..., Bridge]:
    def run(planted: Planted, entries: Planted | None = None, **asked: object) -> Bridge:
        fill(entries or planted)
        request = BridgeRequest(pairs=pairs_file(planted), **{"sample": 200, "resamples": 200, **asked})
        return bridge_versions(store, "v1", "second", request, ignore_progress)

    return run


def test_a_better_version_is_advised_and_every_way_is_recorded(
    store: Store, planted: Plant, bridge: Callable[..., Bridge]
) -> None:
    verdict = bridge(planted(), labels="thing").verdict
    values = {str(line.way): line.figure.comparison.value for line in verdict.lines}
    assert verdict.truth == "labels"
    assert verdict.measured == {"queries": 300, "entries": 300}
    assert values["status quo"] < values["adapter"] <= values["re-embedding"]
    assert verdict.advice.decision == "upgrade"
    row = store.compatibility.get("v2", "v1")
    assert row is not None
    assert row.compatible
    assert row.value == pytest.approx(values["adapter"])
    assert row.reference == pytest.approx(values["status quo"])
    assert row.truth == "labels"
    registered = {(each.query, each.gallery): each for each in store.adapters.list()}
    assert registered.keys() == {("v2", "v1"), ("v1", "v2")}
    assert row.adapter == registered["v2", "v1"].digest
    # No images, so no cascade can run, and none is recorded.
    assert "cascade" not in {line.way.kind for line in verdict.back}
    assert {each.candidates for each in store.compatibility.ways()} == {0}


def test_a_worse_version_is_not(store: Store, planted: Plant, bridge: Callable[..., Bridge]) -> None:
    # So few pairs that nothing can be learned over the old vectors.
    verdict = bridge(planted(old_noise=0.3, new_noise=0.6), labels="thing", sample=60).verdict
    assert verdict.advice.decision == "keep"
    row = store.compatibility.get("v2", "v1")
    assert row is not None
    assert not row.compatible


def test_a_projection_over_the_old_one_may_beat_the_new(
    store: Store, planted: Plant, bridge: Callable[..., Bridge]
) -> None:
    """Labels tell which directions of the old space say nothing of the classes."""
    verdict = bridge(planted(count=900, new_noise=0.6), labels="thing", sample=400).verdict
    assert verdict.advice.decision == "project"
    assert verdict.advice.sentence.startswith("Keep first (v1), with a projection learned over it: +")
    (line,) = [line for line in verdict.lines if line.way.kind == "projection"]
    assert line.figure.is_better
    assert line.cost.images == line.cost.bytes == 0
    assert any(
        "400 vectors of v1 that are not measured, among them some of 50 of the 50" in note
        for note in verdict.notes
    )
    # It is no version, and no pair of versions was measured by it.
    assert {row.gallery for row in store.compatibility.ways() if row.query == "v1"} == {"v2"}


def test_the_same_seed_gives_the_same(planted: Plant, bridge: Callable[..., Bridge]) -> None:
    first, again, other = (bridge(planted(), labels="thing", seed=seed) for seed in (3, 3, 4))

    def figures(made: Bridge) -> list[object]:
        return [line.figure for line in made.verdict.lines]

    assert figures(first) == figures(again)
    assert figures(first) != figures(other)


def test_without_truth_agreement_is_told_and_decides_nothing(
    store: Store, planted: Plant, bridge: Callable[..., Bridge]
) -> None:
    verdict = bridge(planted()).verdict
    assert (verdict.truth, verdict.provisional) == ("agreement", True)
    assert verdict.advice.decision == "undecided"
    row = store.compatibility.get("v2", "v1")
    assert row is not None
    assert row.provisional


def test_relevance_pairs_tell_what_is_right(
    tmp_path: Path, planted: Plant, bridge: Callable[..., Bridge]
) -> None:
    made = planted()
    lines = ["query,entry,grade"]
    for number in range(0, 400, 2):
        lines += [f"e{number},e{number + 50},2", f"e{number},e{number + 1},0"]
    (tmp_path / "clicks.csv").write_text("\n".join(lines))
    verdict = bridge(made, relevance=tmp_path / "clicks.csv").verdict
    assert verdict.truth == "pairs"
    assert 10 <= verdict.measured["queries"] < 200


def test_wrong_pairs_do_no_harm(planted: Plant, bridge: Callable[..., Bridge]) -> None:
    right = planted()
    wrong = right.new.copy()
    chosen = np.random.default_rng(0).choice(500, 25, replace=False)
    wrong[chosen] = right.new[np.roll(chosen, 1)]
    clean = bridge(right, labels="thing").verdict
    spoilt = bridge(replace(right, new=wrong), labels="thing").verdict
    value = {
        name: next(line.figure.comparison.value for line in each.lines if str(line.way) == "adapter")
        for name, each in (("clean", clean), ("spoilt", spoilt))
    }
    # One in twenty of the measured entries is wrong as well, and cannot be found.
    assert value["spoilt"] >= value["clean"] - 8


def test_pairs_that_do_not_belong_together_are_refused(
    store: Store, planted: Plant, bridge: Callable[..., Bridge]
) -> None:
    made = planted()
    shuffled = replace(made, new=made.new[np.random.default_rng(1).permutation(500)])
    with pytest.raises(DataError, match="do not belong together"):
        bridge(shuffled, labels="thing")
    assert store.adapters.list() == []
    assert store.compatibility.ways() == []


@pytest.mark.parametrize("count", [3, 40, 60])
def test_too_few_pairs_are_refused(planted: Plant, bridge: Callable[..., Bridge], count: int) -> None:
    with pytest.raises(DataError, match="32 are the least"):
        bridge(planted(count=count, classes=2), labels="thing")


def test_what_cannot_be_is_one_sentence(
    store: Store, planted: Plant, fill: Callable[[Planted], None], tmp_path: Path
) -> None:
    fill(planted())

    def refusal(**asked: object) -> str:
        with pytest.raises(HoldfastError) as refused:
            bridge_versions(store, "v1", "v2", BridgeRequest(**asked), ignore_progress)  # type: ignore[arg-type]
        return str(refused.value)

    assert "none of them names a source" in refusal()
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"id": ["e1"], "vector": [[1.0, 0.0]]}), other)
    assert "v2 makes (16,)" in refusal(pairs=other)
    pq.write_table(pa.table({"id": ["unknown"], "vector": [[1.0] + [0.0] * 15]}), other)
    assert "name no entry of v1" in refusal(pairs=other)
    pq.write_table(pa.table({"id": ["e1"], "vector": [[0.0] * 16]}), other)
    assert "norm 0" in refusal(pairs=other)
    pq.write_table(pa.table({"key": ["e1"]}), other)
    assert "give id and vector" in refusal(pairs=other)
    other.write_text("not Parquet")
    assert "cannot be read as Parquet" in refusal(pairs=other)
    with pytest.raises(ConfigError, match="one version"):
        bridge_versions(store, "v1", "first", BridgeRequest(), ignore_progress)
