"""New vectors are built while the old ones answer, and nothing that changes meanwhile is lost."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from holdfast.index.config import IndexConfig
from holdfast.index.local import rebuild
from holdfast.index.local.partition import Partition
from holdfast.index.local.quantized import QuantizedVectors
from holdfast.index.locks import ReadWriteLock

CONFIG = IndexConfig(threshold=1000, growth=2)


@pytest.fixture
def partition(vectors: Callable[..., np.ndarray]) -> Partition:
    made = Partition("v1", 8)
    made.put([f"e{n}" for n in range(3000)], vectors(3000), ["{}"] * 3000)
    return made


def test_when_a_partition_is_due(partition: Partition, vectors: Callable[..., np.ndarray]) -> None:
    assert rebuild.is_due(partition, CONFIG)
    assert not rebuild.is_due(partition, IndexConfig(kind="exact"))
    assert not rebuild.is_due(partition, IndexConfig(threshold=3001))
    rebuild.requantize(partition, CONFIG, None, ReadWriteLock())
    assert not rebuild.is_due(partition, CONFIG)
    partition.put([f"n{n}" for n in range(3001)], vectors(3001, seed=1), ["{}"] * 3001)
    assert rebuild.is_due(partition, CONFIG)


def test_the_recall_that_was_asked_for_is_reached(
    partition: Partition, vectors: Callable[..., np.ndarray], tmp_path: Path
) -> None:
    rows = partition.vectors.rows(np.arange(3000))
    found = {}
    for target in (0.5, 0.98):
        rebuild.requantize(partition, IndexConfig(target_recall=target), tmp_path, ReadWriteLock())
        hits = 0
        for query in vectors(100, seed=7):
            best = set(np.argsort(-(rows @ query))[:10].tolist())
            hits += len(best & set(partition.search(query, 10, None)[1].tolist()))
        assert hits / 1000 >= target - 0.03
        assert isinstance(partition.vectors, QuantizedVectors)
        found[target] = partition.vectors.nprobe
    assert found[0.5] < found[0.98]


def test_what_changes_while_it_is_built_is_taken_over(
    partition: Partition, vectors: Callable[..., np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, begun, free = ReadWriteLock(), threading.Event(), threading.Event()
    train = QuantizedVectors.train

    def held_back(*arguments: object) -> QuantizedVectors:
        begun.set()
        assert free.wait(20)
        return train(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(QuantizedVectors, "train", held_back)
    thread = threading.Thread(target=rebuild.requantize, args=(partition, CONFIG, None, lock))
    thread.start()
    try:
        assert begun.wait(20)
        fresh = vectors(200, seed=9)
        with lock.reading():
            assert len(partition.search(fresh[0], 10, None)[1]) == 10
        with lock.writing():
            partition.put([f"e{n}" for n in range(100)], fresh[:100], ["{}"] * 100)
            removal = partition.plan_removal([f"e{n}" for n in range(50, 1500)])
            assert removal is not None
            partition.remove(removal)
            partition.put([f"n{n}" for n in range(100)], fresh[100:], ["{}"] * 100)
    finally:
        free.set()
        thread.join(30)
    assert partition.vectors.kind == "quantized"
    assert len(partition.vectors) == len(partition) == 1650
    for name, row in [(f"e{n}", n) for n in range(50)] + [(f"n{n}", 100 + n) for n in range(100)]:
        held = partition.get(name)
        assert held is not None
        assert np.allclose(np.frombuffer(held[0], "<f4"), fresh[row], atol=1e-3)
        (slot,) = partition.search(fresh[row], 1, None)[1].tolist()
        assert partition.names.id(slot) == name


@pytest.mark.parametrize("planned", ["before", "after"])
def test_a_removal_fits_vectors_that_were_made_anew_since_it_was_planned(
    partition: Partition, planned: str
) -> None:
    leaving = [f"e{n}" for n in range(0, 900, 2)]
    rebuild.requantize(partition, CONFIG, None, ReadWriteLock())
    removal = partition.plan_removal(leaving) if planned == "before" else None
    rebuild.requantize(partition, IndexConfig(threshold=1000, target_recall=0.5), None, ReadWriteLock())
    removal = removal or partition.plan_removal(leaving)
    assert removal is not None
    rows = {name: partition.get(name) for name in ("e1", "e2998", "e2999")}
    partition.remove(removal)
    assert len(partition) == len(partition.vectors) == 3000 - len(leaving)
    assert partition.plan_removal(leaving) is None
    for name, row in rows.items():
        assert row is not None
        assert partition.get(name) == row
        (slot,) = partition.search(np.frombuffer(row[0], "<f4"), 1, None)[1].tolist()
        assert partition.ids[slot] == name
