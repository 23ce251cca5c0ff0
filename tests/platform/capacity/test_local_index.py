"""What is said of an index beside the files and the memory of a real one."""

from pathlib import Path

import numpy as np
import pytest

from holdfast.capacity import Constants, Demand, LocalKind, local_size
from holdfast.entries import Entry
from holdfast.index import IndexConfig, LocalIndex, Snapshots
from holdfast.search import Gallery
from holdfast.testing import tiny_store

ENTRIES = 1_000


@pytest.mark.parametrize("kind", ["exact", "sq8", "pq4"])
def test_memory_and_snapshot_are_those_of_a_real_index(
    kind: LocalKind, constants: Constants, tmp_path: Path
) -> None:
    with tiny_store(tmp_path) as store:
        dimension = store.versions.get("v1").dimension
        drawn = np.random.default_rng(0).standard_normal((ENTRIES, dimension)).astype(np.float32)
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        config = IndexConfig(kind="exact")
        if kind != "exact":
            config = IndexConfig(kind="quantized", codes=kind, nprobe=8, snapshot_from=None)
        snapshots = Snapshots(tmp_path / "kept", store)
        gallery = Gallery(store, LocalIndex(config, tmp_path / "index", snapshots=snapshots))
        gallery.upsert(
            [Entry(f"{row:016d}", "v1", vector, {"a": row, "b": "x"}) for row, vector in enumerate(drawn)]
        )
        gallery.refresh()
        gallery.settle()
        gallery.snapshot()
        held = gallery.stats().bytes
    text = sum(len(f'{{"a":{row},"b":"x"}}') for row in range(ENTRIES)) // ENTRIES
    demand = Demand(
        entries=ENTRIES,
        dimension=dimension,
        queries_per_second=1,
        upgrade_every=3600,
        id_bytes=16,
        attribute_bytes=text,
    )
    size = local_size(demand, kind, constants)
    written = sum(file.stat().st_size for file in (tmp_path / "kept").rglob("*") if file.is_file())
    assert size.snapshot == pytest.approx(written, rel=0.15)
    room = constants["code_room.sq8"].number
    codes = 0 if kind == "exact" else ENTRIES * (dimension // (1 if kind == "sq8" else 4) + 8)
    assert size.memory == pytest.approx(held + (room - 1) * codes, rel=0.01)


def test_a_search_reads_as_many_lists_as_the_recall_asks_for(constants: Constants, demand: Demand) -> None:
    coarse, fine = (
        local_size(demand.model_copy(update={"recall": recall}), "sq8", constants) for recall in (0.9, 0.99)
    )
    assert (coarse.lists, coarse.read, fine.read) == (4096, 10, 50)
    # A list of 244 codes of 128 bytes.
    a_list = 1e-6 + 1e6 / 4096 * 128 / 2e9
    assert fine.search - coarse.search == pytest.approx(40 * a_list)
    assert coarse.search == pytest.approx(1e-4 + 4096 * 512 / 1e10 + 10 * a_list)
    assert (coarse.candidates, fine.candidates) == (30, 60)


def test_a_larger_gallery_reads_more_lists(constants: Constants, demand: Demand) -> None:
    larger = local_size(demand.model_copy(update={"entries": 16_000_000}), "sq8", constants)
    # Twice as many, since 16 to the power of a quarter is 2.
    assert larger.read == 2 * local_size(demand, "sq8", constants).read


def test_exact_compares_every_byte(constants: Constants, demand: Demand) -> None:
    size = local_size(demand, "exact", constants)
    assert size.memory == 512e6
    assert size.search == pytest.approx(1e-4 + 512e6 / 1e10)
    assert (size.reading, size.building) == (pytest.approx(10), 0)


def test_codes_are_built_beside_whole_vectors(constants: Constants, demand: Demand) -> None:
    size = local_size(demand, "pq4", constants)
    assert size.building_memory > 512e6 + size.memory
    # A million vectors with 4,096 centroids, and k-means of them on 32 a list, six times.
    multiplications = (1e6 + 6 * 32 * 4096 + 128) * 4096 * 128 / 4096
    assert size.building > 4096 * multiplications / 1e10 * 0.5
