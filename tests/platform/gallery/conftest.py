from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import faiss
import numpy as np
import pytest
from sqlalchemy import delete, insert, select

from holdfast.gallery import Entry
from holdfast.store import Compatibility, Store, open_store
from holdfast.store.schema import metadata, versions

DIMENSIONS = {"v1": 8, "v2": 8, "v3": 8, "v4": 16}


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Threads that wait for each other take a busy machine many times as long."""
    faiss.omp_set_num_threads(1)


def add_version(store: Store, name: str, dimension: int) -> None:
    """A version without an encoder."""
    with store.engine.begin() as connection:
        number = int(name[1:])
        connection.execute(
            insert(versions).values(
                number=number,
                name=name,
                run="a",
                attempt=1,
                task=number,
                contract=f"hf1-{number:016}",
                contract_body={},
                dimension=dimension,
                experiment="",
                data_fingerprint="",
                metrics={},
                artifacts="",
                files={},
                created_at=datetime.now(UTC),
            )
        )


@pytest.fixture
def store(place: tuple[str, str]) -> Iterator[Store]:
    """A store with v1, v2, v3 of 8 dimensions and v4 of 16, without encoders; nothing is measured."""
    with open_store(*place) as opened:
        for name, dimension in DIMENSIONS.items():
            add_version(opened, name, dimension)
        yield opened


@pytest.fixture
def further(store: Store) -> list[str]:
    """Seven more versions of 8 dimensions."""
    names = [f"v{number}" for number in range(5, 12)]
    for name in names:
        add_version(store, name, 8)
    return names


@pytest.fixture
def vectors() -> Callable[..., np.ndarray]:
    def make(count: int, dimension: int = 8, seed: int = 0) -> np.ndarray:
        """float32 (count, dimension) of unit norm."""
        drawn = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
        return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)

    return make


@pytest.fixture
def entry(vectors: Callable[..., np.ndarray]) -> Callable[..., Entry]:
    def make(identifier: str, version: str = "v1", seed: int = 0, **attributes: object) -> Entry:
        return Entry(identifier, version, vectors(1, DIMENSIONS[version], seed)[0], attributes)

    return make


@pytest.fixture
def allow(store: Store) -> Callable[..., None]:
    def record(query: str, gallery: str, compatible: bool = True) -> None:
        store.record_compatibility(
            [Compatibility(query, gallery, 0.7, 0.6, 0.05, 0.15, compatible, "evaluation-1")]
        )

    return record


Tables = dict[str, list[dict[str, object]]]


@pytest.fixture
def contents() -> Callable[[Store], Tables]:
    """A backup: all rows of all tables."""

    def read(store: Store) -> Tables:
        with store.engine.connect() as connection:
            return {
                table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
                for table in metadata.sorted_tables
            }

    return read


@pytest.fixture
def restore() -> Callable[[Store, Tables], None]:
    """Puts a backup in place of what there is; who holds the database open goes on with it."""

    def write(store: Store, backup: Tables) -> None:
        with store.engine.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(delete(table))
            for table in metadata.sorted_tables:
                if backup[table.name]:
                    connection.execute(insert(table), backup[table.name])

    return write
