"""Vectors of a version reach a file of somebody else's, own ones and mapped ones, once."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from holdfast.adapters import LinearAdapter
from holdfast.backfill import push
from holdfast.base import DataError
from holdfast.entries import Entries, Entry, Target, Writer, open_writer
from holdfast.store import Store

Vectors = Callable[..., np.ndarray]
TURN = np.linalg.qr(np.random.default_rng(5).normal(size=(8, 8)))[0].astype(np.float32)


@pytest.fixture
def mixed(store: Store, vectors: Vectors) -> Store:
    """Twenty entries of v1 that v3 reaches through a turn, five of v3, three of v2 that it does not reach."""
    rows = vectors(28)
    names = ["v1"] * 20 + ["v3"] * 5 + ["v2"] * 3
    Entries(store).upsert([Entry(f"e{n}", name, rows[n]) for n, name in enumerate(names)])
    store.adapters.register("v3", "v1", LinearAdapter.of(TURN))
    return store


def test_own_vectors_go_as_they_are_and_others_through_the_adapter(
    mixed: Store, vectors: Vectors, tmp_path: Path
) -> None:
    file = tmp_path / "v3.parquet"
    with open_writer(str(file), Target("v3", 8, "vector")) as writer:
        pushed = push(mixed, writer, "v3")
    assert (pushed.own, dict(pushed.mapped), pushed.missing) == (5, {"v1": 20}, 0)
    assert dict(pushed.left_out) == {"of v2, no adapter": 3}
    table = pq.read_table(file).to_pydict()
    found = dict(zip(table["id"], table["vector"], strict=True))
    rows = vectors(28)
    assert len(found) == 25
    assert np.allclose(found["e0"], rows[0] @ TURN, atol=1e-6)
    assert np.allclose(found["e21"], rows[21], atol=1e-6)


class _Broken(Writer):
    """Keeps what it is given, and fails at the second batch."""

    place, identity = "a place", "place"

    def __init__(self, kept: dict[str, np.ndarray], fails: bool) -> None:
        self.kept, self._left = kept, 1 if fails else 1000

    def write(self, ids: Sequence[str], vectors: np.ndarray) -> Sequence[str]:
        if self._left == 0:
            raise DataError("The place went away.")
        self._left -= 1
        self.kept.update(zip(ids, vectors, strict=True))
        return []


def test_a_push_goes_on_behind_the_last_batch(mixed: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.backfill.pushing._ROWS", 10)
    kept: dict[str, np.ndarray] = {}
    with pytest.raises(DataError, match="went away"):
        push(mixed, _Broken(kept, fails=True), "v3")
    assert len(kept) == 10
    rest: dict[str, np.ndarray] = {}
    pushed = push(mixed, _Broken(rest, fails=False), "v3")
    assert (pushed.resumed_at, pushed.written, len(rest)) == (10, 25, 15)
    assert push(mixed, _Broken({}, fails=False), "v3").resumed_at == 0


def test_where_nothing_leads_to_the_version_nothing_is_written(mixed: Store) -> None:
    with pytest.raises(DataError, match="no vector of v4, and no adapter maps entries of v1"):
        push(mixed, _Broken({}, fails=False), "v4")
