"""pgvector over the entries of `large.fill`: HNSW with as small a search list as recalls enough.

It is asked by libpq, PostgreSQL's own client, over a connection a client: a prepared statement, vectors and
answers in binary.
"""

import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import psycopg

from experiments.benchmarks.gallery import large
from experiments.benchmarks.harness.cells import Record
from experiments.benchmarks.harness.postgres import running_postgres

KEPT_FROM = 100_000
"""Entries; a smaller table is made anew in the time that it takes to look for it."""
K = 10
LISTS = (10, 16, 24, 28, 32, 36, 40, 60, 80, 120, 160, 240, 400, 700, 1000)
"""`hnsw.ef_search`, until recall is enough."""
SETTINGS = {
    "shared_buffers": "2GB",
    "maintenance_work_mem": "2GB",
    "max_parallel_maintenance_workers": "2",
    "max_wal_size": "8GB",
    "max_connections": "100",
}
BINARY = 1
ROW = np.dtype(
    [
        ("fields", ">i2"),
        ("id_bytes", ">i4"),
        ("id", ">i4"),
        ("vector_bytes", ">i4"),
        ("dimension", ">i2"),
        ("unused", ">i2"),
        ("vector", ">f4", large.DIMENSION),
    ]
)
"""A row of the table, as COPY reads it in its binary form."""


class Pgvector:
    """A table `entries` (id, vector) with an HNSW index by inner product."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.ef_search = LISTS[0]

    def find(self, queries: np.ndarray) -> list[list[int]]:
        """The ids of the `K` nearest of each query; queries are float32 (n, 128)."""
        with self._asking() as asking:
            return [_ask(asking, _sent(query)) for query in queries]

    def more(self) -> bool:
        """The next longer search list; False after the last one."""
        place = LISTS.index(self.ef_search) + 1
        self.ef_search = LISTS[min(place, len(LISTS) - 1)]
        return place < len(LISTS)

    def ask(self, queries: np.ndarray, clients: int, seconds: float) -> Record:
        """`clients` connections that ask these in turn, as fast as they are answered."""
        sent = [_sent(query) for query in queries]
        ready = threading.Barrier(clients)

        def keep_asking(number: int) -> list[tuple[float, float]]:
            """When each question was asked and answered."""
            times: list[tuple[float, float]] = []
            with self._asking() as asking:
                _ask(asking, sent[0])
                ready.wait()
                until = (now := time.perf_counter()) + seconds
                for query in islice(cycle(sent), number * len(sent) // clients, None):
                    if now > until:
                        return times
                    _ask(asking, query)
                    times.append((now, now := time.perf_counter()))
            return times

        with ThreadPoolExecutor(clients) as threads:
            times = np.concatenate(list(threads.map(keep_asking, range(clients))))
        took = times[:, 1] - times[:, 0]
        return {
            "requests_per_second": len(took) / float(times[:, 1].max() - times[:, 0].min()),
            "p50_ms": float(1000 * np.percentile(took, 50)),
            "p99_ms": float(1000 * np.percentile(took, 99)),
        }

    @contextmanager
    def _asking(self) -> Iterator[psycopg.pq.abc.PGconn]:
        """A connection that knows the question."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(f"SET hnsw.ef_search = {self.ef_search}")
            question = f"SELECT id FROM entries ORDER BY vector <#> $1::vector LIMIT {K}"
            connection.pgconn.prepare(b"ask", question.encode())
            yield connection.pgconn


@contextmanager
def running_pgvector(folder: Path, entries: int) -> Iterator[Pgvector]:
    """A server with so many entries; a large table is kept in `folder`, and is filled once."""
    kept = folder / "pgvector" if entries >= KEPT_FROM else None
    with running_postgres(vectors=True, kept=kept, settings=SETTINGS) as url:
        url = url.replace("postgresql+psycopg", "postgresql")
        with psycopg.connect(url, autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_class WHERE relname = 'nearest'").fetchone()
            if found is None:
                _fill(connection, large.draw(entries, 1))
        yield Pgvector(url)


def _fill(connection: psycopg.Connection, vectors: np.ndarray) -> None:
    rows = np.zeros(len(vectors), ROW)
    rows["fields"], rows["id_bytes"], rows["dimension"] = 2, 4, large.DIMENSION
    rows["vector_bytes"] = 4 + 4 * large.DIMENSION
    rows["id"], rows["vector"] = np.arange(len(vectors)), vectors
    connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    connection.execute("DROP TABLE IF EXISTS entries")
    connection.execute(f"CREATE TABLE entries (id int, vector vector({large.DIMENSION}))")
    # Within the row, where an index has it at hand.
    connection.execute("ALTER TABLE entries ALTER vector SET STORAGE PLAIN")
    with connection.cursor().copy("COPY entries FROM STDIN (FORMAT binary)") as copy:
        copy.write(b"PGCOPY\n\xff\r\n\x00" + bytes(8))
        for at in range(0, len(rows), 10_000):
            copy.write(rows[at : at + 10_000].tobytes())
        copy.write(b"\xff\xff")
    connection.execute(
        "CREATE INDEX nearest ON entries USING hnsw (vector vector_ip_ops) "
        "WITH (m = 16, ef_construction = 128)"
    )
    connection.execute("VACUUM ANALYZE entries")


def _sent(query: np.ndarray) -> bytes:
    """A vector, float32 (d,), as pgvector takes it in binary."""
    return struct.pack(">hh", len(query), 0) + query.astype(">f4").tobytes()


def _ask(asking: psycopg.pq.abc.PGconn, query: bytes) -> list[int]:
    """The ids of the nearest. Raises RuntimeError where the server refuses."""
    found = asking.exec_prepared(b"ask", [query], [BINARY], BINARY)
    if found.status != psycopg.pq.ExecStatus.TUPLES_OK:
        raise RuntimeError(found.error_message.decode())
    return [int.from_bytes(found.get_value(row, 0) or b"", "big") for row in range(found.ntuples)]
