"""The Parquet files of a source: which of a folder's files are data, and what their paths say."""

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from holdfast.base import DataError
from holdfast.data.sources.files import locate
from holdfast.data.sources.passed_over import PassedOver
from holdfast.data.sources.walk import walk

SUFFIXES = (".parquet", ".parq", ".pq")
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
DEEPEST = 32
BUFFER = 2**20
"""Bytes that are read at once: a row group of images is larger than what shall be in memory."""


@dataclass(frozen=True)
class Shard:
    """One file. `name` is its path below the folder; `constants` are columns of one value that folders named
    `column=value` above it give, as text."""

    name: str
    path: str
    size: int
    mtime_ns: int
    filesystem: fs.FileSystem
    constants: Mapping[str, str | None] = field(default_factory=dict)

    def open(self) -> pq.ParquetFile:
        """Raises OSError or ArrowException where it is none."""
        return pq.ParquetFile(self.open_bytes(), pre_buffer=False, buffer_size=BUFFER)

    def open_bytes(self) -> pa.NativeFile:
        """Raises OSError."""
        # As bytes, since a name need not be UTF-8.
        if isinstance(self.filesystem, fs.LocalFileSystem):
            return pa.OSFile(os.fsencode(self.path))
        return self.filesystem.open_input_file(self.path)


def find_shards(
    path: str, where: str, suffixes: tuple[str, ...] = SUFFIXES
) -> tuple[list[Shard], tuple[str, ...]]:
    """The file, or the files of the folder in the order of their names; and what is to be said of the rest.

    In a folder, what begins with a dot or an underscore is no data, by the custom of those who write such
    folders: checkpoints of editors, unfinished jobs, markers, checksums. Links are followed.

    Raises:
        DataError: there is no such file or folder, or it holds no Parquet file; OSError where it cannot be
            listed.
    """
    filesystem, inside = locate(path)
    info = filesystem.get_file_info(inside)
    if info.type == fs.FileType.File:
        shard = Shard(inside.rsplit("/", 1)[-1], info.path, info.size, info.mtime_ns, filesystem)
        return [shard], ()
    if info.type != fs.FileType.Directory:
        raise DataError(f"{where} does not exist: there is no file or folder {path}.")
    passed_over = PassedOver()
    if isinstance(filesystem, fs.LocalFileSystem):
        found = _local(inside, filesystem, passed_over, where)
    else:
        found = _remote(inside, filesystem, passed_over)
    shards = []
    for shard in found:
        if shard.name.lower().endswith(suffixes):
            shards.append(shard)
        else:
            suffix = os.path.splitext(shard.name)[1].lower()
            passed_over.add(suffix or "without a suffix", shard.name)
    notes = passed_over.notes(where)
    if not shards:
        raise DataError(
            " ".join(
                [
                    f"The folder of {where[0].lower()}{where[1:]} ({path}) holds no *{suffixes[0]} file.",
                    *notes,
                ]
            )
        )
    return sorted(shards, key=lambda shard: shard.path), notes


def digest_of(shards: Iterable[Shard]) -> str:
    """Hex digest of what tells that none has changed: their places, sizes and times."""
    digest = hashlib.sha256()
    for shard in shards:
        digest.update(os.fsencode(shard.path) + f"\0{shard.size}\0{shard.mtime_ns}\n".encode())
    return digest.hexdigest()


def is_hidden(name: str) -> bool:
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def _local(folder: str, filesystem: fs.FileSystem, passed_over: PassedOver, where: str) -> list[Shard]:
    files, _ = walk(folder, passed_over, is_hidden, DEEPEST, where)
    return [
        Shard(file.name, file.path, file.size, file.mtime_ns, filesystem, _constants(file.name))
        for file in files
    ]


def _remote(folder: str, filesystem: fs.FileSystem, passed_over: PassedOver) -> list[Shard]:
    shards: list[Shard] = []
    hidden: dict[str, None] = {}
    for info in filesystem.get_file_info(fs.FileSelector(folder, recursive=True)):
        name = info.path.removeprefix(folder).lstrip("/")
        parts = name.split("/")
        hiding = next((at for at, part in enumerate(parts) if is_hidden(part)), None)
        if hiding is not None:
            hidden["/".join(parts[: hiding + 1])] = None
        elif info.type == fs.FileType.File:
            shards.append(Shard(name, info.path, info.size, info.mtime_ns, filesystem, _constants(name)))
    for name in hidden:
        passed_over.add("hidden", name)
    return shards


def _constants(name: str) -> dict[str, str | None]:
    pairs = (part.split("=", 1) for part in name.split("/")[:-1] if "=" in part)
    return {
        unquote(column): None if value == NO_VALUE else unquote(value) for column, value in pairs if column
    }
