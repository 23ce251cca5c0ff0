"""Finished cells on disk: a small file each while a benchmark runs, then one Parquet file that is kept.

A cell is known by a hash of all that decides its figures. In the benchmarks whose results are kept these are
its experiment, its method, its seed and the version of this format, and not the code: `--fresh` forgets them.
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

from experiments.benchmarks.harness.places import RESULTS

FORMAT = 3
"""To be raised when what a cell holds changes its meaning."""

Record = dict[str, Any]
Outcomes = dict[str, np.ndarray]
"""One value for every query, by what it says."""
SCHEMA = pa.schema(
    [
        ("benchmark", pa.string()),
        ("method", pa.string()),
        ("seed", pa.int64()),
        ("id", pa.string()),
        ("record", pa.string()),
        ("outcomes", pa.binary()),
    ]
)


@dataclass(frozen=True, order=True)
class Name:
    """Which cell."""

    benchmark: str
    method: str
    seed: int


def identity(name: Name, decisive: Any) -> str:
    """Hash of all that decides a cell's figures."""
    parts = [FORMAT, name.benchmark, name.method, name.seed, decisive]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def kept_file(folder: Path) -> Path:
    """Where the cells of a folder are gathered: beside it among the results of the repository, else in it."""
    return RESULTS / f"{folder.name}.parquet" if folder.parent == RESULTS else folder / "cells.parquet"


class Cells:
    """The cells of one folder.

    `cells/BENCHMARK/METHOD/SEED.json` holds the figures, and `.npz` beside it what every query found. The
    file that is kept has the same, a row a cell: what is there need not be measured again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept = kept_file(folder)
        self._gathered = dict(self._read_kept())

    def record(self, name: Name) -> Record | None:
        """The figures of a finished cell."""
        try:
            record: Record = json.loads(self._file(name, ".json").read_text())
            return record
        except (OSError, ValueError):
            found = self._gathered.get(name)
            return json.loads(found[0]) if found else None

    def outcomes(self, name: Name) -> Outcomes:
        """What every query of a finished cell found, read when it is asked for."""
        with np.load(io.BytesIO(self._content(name)), allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}

    def is_done(self, name: Name, identity: str) -> bool:
        record = self.record(name)
        return record is not None and record.get("id") == identity

    def keep(self, name: Name, record: Record, outcomes: Outcomes | None = None) -> None:
        """Write a finished cell: the outcomes first, so that a cell with figures is whole."""
        content = io.BytesIO()
        np.savez_compressed(content, **(outcomes or {}))  # type: ignore[arg-type]
        _replace(self._file(name, ".npz"), content.getvalue())
        _replace(self._file(name, ".json"), json.dumps(record).encode())

    def forget(self, names: Iterable[Name]) -> None:
        """Take these cells out, and all first versions that cells shared."""
        shutil.rmtree(self.folder / "first", ignore_errors=True)
        for name in names:
            self._gathered.pop(name, None)
            for ending in (".json", ".npz"):
                self._file(name, ending).unlink(missing_ok=True)

    def names(self) -> list[Name]:
        """All finished cells."""
        files = (self.folder / "cells").glob("*/*/*.json")
        there = {Name(file.parts[-3], file.parts[-2], int(file.stem)) for file in files}
        return sorted(there | set(self._gathered))

    def gather(self) -> None:
        """Write all cells to the file that is kept; those of single cells stay."""
        rows = []
        for name in self.names():
            record = self.record(name)
            assert record is not None
            content = self._content(name)
            rows.append({**vars(name), "id": record["id"], "record": json.dumps(record), "outcomes": content})
        self.kept.parent.mkdir(parents=True, exist_ok=True)
        partial = self.kept.with_name(self.kept.name + ".partial")
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), partial, compression="zstd", compression_level=19)
        partial.replace(self.kept)

    def _content(self, name: Name) -> bytes:
        file = self._file(name, ".npz")
        return file.read_bytes() if file.is_file() else self._gathered[name][1]

    def _file(self, name: Name, ending: str) -> Path:
        return self.folder / "cells" / name.benchmark / name.method / f"{name.seed}{ending}"

    def _read_kept(self) -> Iterator[tuple[Name, tuple[str, bytes]]]:
        if self.kept.is_file():
            for row in pq.read_table(self.kept, schema=SCHEMA).to_pylist():
                yield Name(row["benchmark"], row["method"], row["seed"]), (row["record"], row["outcomes"])


def unpack(packed: np.ndarray, count: int) -> np.ndarray:
    """Bits that `np.packbits` packed along the last axis, bool (..., count)."""
    return np.unpackbits(packed, axis=-1, count=count).astype(bool)


def _replace(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(file.name + ".partial")
    partial.write_bytes(content)
    partial.replace(file)
