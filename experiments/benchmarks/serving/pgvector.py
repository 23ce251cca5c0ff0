"""pgvector over the entries of `large.fill`: HNSW, as small a search list as recalls enough, by pgbench.

pgbench is PostgreSQL's own client, in C, as wrk is on the other side. Its statements are prepared with the
query's vector inside, so that PostgreSQL neither receives a vector nor reads one: in pgvector's favour.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psycopg

from experiments.benchmarks.gallery import large
from experiments.benchmarks.harness.cells import Record
from experiments.benchmarks.harness.postgres import find_pgvector, running_postgres

KEPT_FROM = 100_000
"""Entries; a smaller table is made anew in the time that it takes to look for it."""
K = 10
LISTS = (10, 16, 24, 28, 32, 36, 40, 60, 80, 120, 160, 240, 400, 700, 1000)
"""`hnsw.ef_search`, until recall is enough."""
SCRIPTS = 100
"""Queries that pgbench asks; it takes no more than 128 files."""
SETTINGS = {
    "shared_buffers": "2GB",
    "maintenance_work_mem": "2GB",
    "max_parallel_maintenance_workers": "2",
    "max_wal_size": "8GB",
    "max_connections": "100",
}
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
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(f"SET hnsw.ef_search = {self.ef_search}")
            return [
                [row[0] for row in connection.execute(_question(query), prepare=True)] for query in queries
            ]

    def more(self) -> bool:
        """The next longer search list; False after the last one."""
        place = LISTS.index(self.ef_search) + 1
        self.ef_search = LISTS[min(place, len(LISTS) - 1)]
        return place < len(LISTS)

    def ask(self, queries: np.ndarray, clients: int, seconds: float) -> Record:
        """`clients` connections that ask the first queries as fast as they are answered.

        Raises CalledProcessError where a search fails.
        """
        with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
            scripts = [Path(folder) / f"{n}.sql" for n in range(min(SCRIPTS, len(queries)))]
            for script, query in zip(scripts, queries, strict=False):
                script.write_text(_question(query) + ";\n")
            command = [
                *[str(find_pgvector() / "pgbench"), "--no-vacuum", "--protocol=prepared", "--log"],
                *["--client", str(clients), "--jobs=1", "--time", str(max(1, round(seconds)))],
                *[f"--file={script}" for script in scripts],
                self._url,
            ]
            subprocess.run(
                command,
                check=True,
                capture_output=True,
                cwd=folder,
                env=os.environ | {"PGOPTIONS": f"-c hnsw.ef_search={self.ef_search}"},
            )
            (log,) = Path(folder).glob("pgbench_log.*")
            # Client, transaction, microseconds, script, when it ended: seconds and microseconds.
            log_rows = np.loadtxt(log, usecols=(2, 4, 5))
        took, ended = log_rows[:, 0] / 1e6, log_rows[:, 1] + log_rows[:, 2] / 1e6
        return {
            "requests_per_second": len(took) / float(ended.max() - (ended - took).min()),
            "p50_ms": float(1000 * np.percentile(took, 50)),
            "p99_ms": float(1000 * np.percentile(took, 99)),
        }


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


def _question(query: np.ndarray) -> str:
    return f"SELECT id FROM entries ORDER BY vector <#> '{query.tolist()}' LIMIT {K}"
