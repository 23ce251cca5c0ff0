"""Constants that are easy to reckon with."""

from typing import Any

import pytest

from holdfast.capacity import Constant, Constants, Demand

ROUND: dict[str, Any] = {
    "vector_scan": 1e10,
    "multiplications": 1e10,
    "read_row": 1e-5,
    "map_row": 1e-4,
    "write_row.sqlite": 2e-5,
    "write_row.postgresql": 4e-5,
    "row_bytes.sqlite": ((128.0, 700.0), (512.0, 2300.0)),
    "row_bytes.postgresql": ((128.0, 800.0), (512.0, 2800.0)),
    "row_text": 72.0,
    "lists_measured": 1_000_000.0,
    "search_rest.exact": 1e-4,
    **{
        f"{name}.{kind}": value
        for kind in ("sq8", "pq4")
        for name, value in {
            "search_rest": 1e-4,
            "code_scan": 2e9,
            "list_visit": 1e-6,
            "code_row": 1e-5,
            "code_training": 1.0,
            "lists_read": ((0.9, 10.0), (0.95, 20.0), (0.99, 50.0)),
            "lists_growth": 0.25,
            "candidates": ((0.9, 3.0), (0.99, 6.0)),
            "code_room": 1.25,
        }.items()
    },
    "snapshot_load": 1e9,
    "process": 2.0**28,
    "hnsw.row": 1e-3,
    "hnsw.search": 5e-4,
    "hnsw.links": 144.0,
    "hnsw.measured": 10_000.0,
    "milvus.recall": 0.98,
    "milvus.segment": 2.0**30,
    "milvus.memory": 1.3,
    "milvus.others": 12.0,
    "images": 1.0,
    "request": 2e-3,
}


@pytest.fixture
def constants() -> Constants:
    by_name = {
        name: Constant(value=value, unit="as it is", source="made up") for name, value in ROUND.items()
    }
    return Constants(machine="none", by_name=by_name)


@pytest.fixture
def demand() -> Demand:
    """Of a million entries."""
    return Demand(entries=1_000_000, dimension=128, queries_per_second=100, upgrade_every=30 * 86_400)
