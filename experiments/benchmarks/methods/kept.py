"""Finished cells on disk: a small file each while the benchmark runs, then one Parquet file a benchmark.

A cell is known by a hash of its experiments, its method, its seed and the version of this format. Changes of
the code do not invalidate it: `--fresh` does.
"""

import hashlib
import io
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FORMAT = 2
"""To be raised when what a cell holds changes its meaning."""

Record = dict[str, Any]
Bits = dict[str, np.ndarray]
SCHEMA = pa.schema(
    [
        ("benchmark", pa.string()),
        ("method", pa.string()),
        ("seed", pa.int64()),
        ("id", pa.string()),
        ("record", pa.string()),
        ("bits", pa.binary()),
    ]
)


@dataclass(frozen=True, order=True)
class Name:
    """Which cell."""

    benchmark: str
    method: str
    seed: int


def identity(name: Name, decisive: Any) -> str:
    """Hash of all that decides a cell's figures, but for the code."""
    parts = [FORMAT, name.benchmark, name.method, name.seed, decisive]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


class Cells:
    """The cells of one folder.

    `cells/BENCHMARK/METHOD/SEED.json` holds the figures, and `.npz` beside it the bits of every query, packed
    and deflated. `BENCHMARK.parquet` has the same, a row a cell: what is there need not be measured again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._gathered = dict(self._read_gathered())

    def record(self, name: Name) -> Record | None:
        """The figures of a finished cell."""
        try:
            record: Record = json.loads(self._file(name).with_suffix(".json").read_text())
            return record
        except (OSError, ValueError):
            found = self._gathered.get(name)
            return json.loads(found[0]) if found else None

    def bits(self, name: Name) -> Bits:
        """The packed outcomes of a finished cell, read when they are asked for."""
        file = self._file(name).with_suffix(".npz")
        content = file.read_bytes() if file.is_file() else self._gathered[name][1]
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}

    def is_done(self, name: Name, identity: str) -> bool:
        record = self.record(name)
        return record is not None and record.get("id") == identity

    def keep(self, name: Name, record: Record, bits: Bits) -> None:
        """Write a finished cell: the bits first, so that a cell with figures is whole."""
        file = self._file(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        content = io.BytesIO()
        np.savez_compressed(content, **bits)  # type: ignore[arg-type]
        _replace(file.with_suffix(".npz"), content.getvalue())
        _replace(file.with_suffix(".json"), json.dumps(record).encode())

    def forget(self, names: Iterable[Name]) -> None:
        """Take these cells out, and all first versions that cells shared."""
        shutil.rmtree(self.folder / "first", ignore_errors=True)
        for name in names:
            self._gathered.pop(name, None)
            for ending in (".json", ".npz"):
                self._file(name).with_suffix(ending).unlink(missing_ok=True)

    def names(self) -> list[Name]:
        """All finished cells."""
        files = (self.folder / "cells").glob("*/*/*.json")
        there = {Name(file.parts[-3], file.parts[-2], int(file.stem)) for file in files}
        return sorted(there | set(self._gathered))

    def gather(self, benchmarks: Iterable[str]) -> None:
        """Write one Parquet file a benchmark; the files of single cells stay."""
        for benchmark in benchmarks:
            names = [name for name in self.names() if name.benchmark == benchmark]
            rows = []
            for name in names:
                record = self.record(name)
                assert record is not None
                content = self._content(name)
                rows.append({**vars(name), "id": record["id"], "record": json.dumps(record), "bits": content})
            if rows:
                partial = self.folder / f"{benchmark}.parquet.partial"
                pq.write_table(pa.Table.from_pylist(rows, SCHEMA), partial, compression="zstd")
                partial.replace(self.folder / f"{benchmark}.parquet")

    def _content(self, name: Name) -> bytes:
        file = self._file(name).with_suffix(".npz")
        return file.read_bytes() if file.is_file() else self._gathered[name][1]

    def _file(self, name: Name) -> Path:
        return self.folder / "cells" / name.benchmark / name.method / str(name.seed)

    def _read_gathered(self) -> Iterator[tuple[Name, tuple[str, bytes]]]:
        for file in sorted(self.folder.glob("*.parquet")):
            if not pq.read_schema(file).equals(SCHEMA):
                continue
            for row in pq.read_table(file).to_pylist():
                yield Name(row["benchmark"], row["method"], row["seed"]), (row["record"], row["bits"])


def unpack(packed: np.ndarray, count: int) -> np.ndarray:
    """Bits that `np.packbits` packed along the last axis, bool (..., count)."""
    return np.unpackbits(packed, axis=-1, count=count).astype(bool)


def _replace(file: Path, content: bytes) -> None:
    partial = file.with_name(file.name + ".partial")
    partial.write_bytes(content)
    partial.replace(file)
