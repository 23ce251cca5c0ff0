"""Images in WebDataset shards: tar files whose members, named alike up to the first dot, are one sample."""

import glob
import io
import json
import re
import tarfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import fs

from holdfast.base import DataError
from holdfast.data.sources.files import locate
from holdfast.data.sources.listing import Encoded, Listing, Survey
from holdfast.data.sources.originals import Layout
from holdfast.data.sources.passed_over import PassedOver
from holdfast.data.sources.pieces import joined, lacking, rows_of_split
from holdfast.data.sources.roles import Roles, assign_roles
from holdfast.data.sources.shards import Shard, digest_of, find_shards
from holdfast.data.sources.source import Source

SUFFIXES = (".tar",)
IMAGES = frozenset(["jpg", "jpeg", "jpe", "png", "webp", "gif", "bmp", "tif", "tiff", "ppm", "pgm"])
TEXTS = frozenset(["cls", "txt", "text", "label"])
"""Members of a sample that become columns of these names; `json` gives one for each plain value."""
ONLY_SPLIT = "all"
PIECE = 256
"""Samples, at most, that are read in their order: fewer than make a batch of many pieces."""
BUFFER = 2**20
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
_END = bytes(512)
_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class WebDataset(Source):
    """`webdataset:PATH_OR_GLOB_OR_URL`: one tar file, a folder of them, `train-*.tar`, `{000..099}.tar`.

    A sample's image is its one member with an image's suffix. Its columns are `cls`, `txt` and what its
    `json` says; `shard`, the name of its tar file, is one too. The label is the column `label`, `cls` or
    `txt`, the first that there is, unless `?label=species` says another one; likewise `group`, `split` and
    `id`. Without an id a sample is called by its key, without a split all are in `all`.
    """

    uri: str
    path: str
    roles: Roles

    def listing(self, split: str | None = None, columns: Collection[str] | None = None) -> Listing:
        where = f"Source {self.uri!r}"
        shards, notes = self._shards()
        passed_over = PassedOver()
        read = [_read_shard(shard, self.uri, passed_over) for shard in shards]
        tables = [table for table, _, _ in read]
        rows = joined(shards, tables, where)
        if not rows.num_rows:
            said = " ".join(passed_over.notes(where))
            raise DataError(f"{where} is empty: no sample in it has an image. {said}".rstrip())
        notes = (*notes, *passed_over.notes(where))
        notes += lacking(shards, [table.column_names for table in tables], rows.column_names, where)
        available = tuple(dict.fromkeys(("label", "split", "sample_id", "group", *rows.column_names)))
        rows = assign_roles(rows, self.roles, ("label", "cls", "txt"), "key", ONLY_SPLIT, columns, where)
        layout = _lay_out([(offsets, sizes) for _, offsets, sizes in read])
        originals, places = self.originals(layout), np.arange(rows.num_rows)
        if split is not None:
            rows, places, more = rows_of_split(rows, split, where)
            notes = (*notes, *more)

        def images(indices: np.ndarray) -> Iterator[Encoded]:
            wanted, starts = places[indices], layout["starts"]
            pieces = np.searchsorted(starts, wanted, side="right") - 1
            for piece in np.unique(pieces):
                yield from originals.read(int(piece), wanted[pieces == piece] - starts[piece])

        return Listing(rows, available, images, notes, places, layout)

    def originals(self, layout: Layout) -> "Members":
        return Members(self.uri, tuple(self._shards()[0]), layout)

    def survey(self) -> Survey:
        shards, notes = self._shards()
        return Survey(digest_of(shards), notes)

    def _shards(self) -> tuple[list[Shard], tuple[str, ...]]:
        where = f"Source {self.uri!r}"
        try:
            paths = [found for path in _braces(self.path) for found in _matching(path)]
            if not paths:
                raise DataError(f"{where} does not exist: no file is named like {self.path}.")
            found = [find_shards(path, where, SUFFIXES) for path in paths]
        except OSError as error:
            raise DataError(f"{where} cannot be listed: {error}.") from error
        shards = {shard.path: shard for own, _ in found for shard in own}
        return list(shards.values()), tuple(dict.fromkeys(note for _, own in found for note in own))


@dataclass(frozen=True, eq=False)
class Members:
    """The images of tar files; `layout` has `shard`, int64 (p,), the file of a piece, and of every image
    `offsets` and `sizes`, int64 (n,)."""

    uri: str
    shards: tuple[Shard, ...]
    layout: Layout

    def read(self, piece: int, rows: np.ndarray) -> Iterator[Encoded]:
        shard = self.shards[int(self.layout["shard"][piece])]
        places = self.layout["starts"][piece] + rows
        try:
            with shard.open_bytes() as file, io.BufferedReader(file, BUFFER) as buffered:
                for offset, size in zip(
                    self.layout["offsets"][places].tolist(),
                    self.layout["sizes"][places].tolist(),
                    strict=True,
                ):
                    buffered.seek(offset)
                    yield Encoded(size, partial(_whole, buffered.read(size), size))
        except OSError as error:
            raise _damaged(self.uri, shard, error) from error


def _whole(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise OSError(f"its shard ends after {len(data)} of {size} bytes")
    return data


def _read_shard(shard: Shard, uri: str, passed_over: PassedOver) -> tuple[pa.Table, list[int], list[int]]:
    """The columns of a tar file's samples that have an image, and where in it the images lie."""
    columns: dict[str, list[Any]] = {"key": [], "shard": []}
    offsets: list[int] = []
    sizes: list[int] = []
    for key, images, fields in _samples(shard, uri, passed_over):
        if len(images) != 1:
            reason = "samples with several images" if images else "samples without an image"
            passed_over.add(reason, f"{shard.name}:{key}")
            continue
        number = len(offsets)
        values = {**fields, "key": key, "shard": shard.name}
        for name, value in values.items():
            column = columns.setdefault(name, [])
            column.extend([None] * (number - len(column)))
            column.append(value)
        offsets.append(images[0][0])
        sizes.append(images[0][1])
    arrays = {
        name: _array(values + [None] * (len(offsets) - len(values))) for name, values in columns.items()
    }
    return pa.table(arrays), offsets, sizes


def _samples(
    shard: Shard, uri: str, passed_over: PassedOver
) -> Iterator[tuple[str, list[tuple[int, int]], dict[str, Any]]]:
    """The samples in their order: key, place and size of each image, and the other columns."""
    key: str | None = None
    images: list[tuple[int, int]] = []
    fields: dict[str, Any] = {}
    for member, read in _members(shard, uri, passed_over):
        name = member.name.removeprefix("./")
        folder, _, base = name.rpartition("/")
        if member.isdir():
            continue
        if base.startswith(".") or not member.isreg():
            passed_over.add(
                "hidden" if base.startswith(".") else "neither files nor folders", f"{shard.name}:{name}"
            )
            continue
        stem, _, suffix = base.partition(".")
        own = f"{folder}/{stem}" if folder else stem
        if own != key:
            if key is not None:
                yield key, images, fields
            key, images, fields = own, [], {}
        kind = suffix.lower().rpartition(".")[2]
        if kind in IMAGES:
            images.append((member.offset_data, member.size))
        elif kind in TEXTS:
            fields[kind] = read().decode("utf-8", "replace").strip()
        elif kind == "json":
            found = _parsed(read())
            if found is None:
                passed_over.add("json that is no object", f"{shard.name}:{name}")
            fields |= found or {}
        else:
            passed_over.add(f".{kind}" if kind else "without a suffix", f"{shard.name}:{name}")
    if key is not None:
        yield key, images, fields


def _members(shard: Shard, uri: str, passed_over: PassedOver) -> Iterator[tuple[tarfile.TarInfo, Any]]:
    try:
        with shard.open_bytes() as file:
            beginning = file.read(6)
            if beginning.startswith(_COMPRESSED):
                raise DataError(
                    f"Source {uri!r}: {shard.name} is compressed, so that nothing in it can be read by "
                    "itself: write it as a plain tar file; images are compressed already."
                )
            file.seek(0)
            with (
                io.BufferedReader(file, BUFFER) as buffered,
                tarfile.open(fileobj=buffered, mode="r:") as tar,
            ):
                while (member := tar.next()) is not None:
                    yield member, partial(_content, tar, member, shard, uri)
                    # It would remember every one.
                    tar.members = []  # type: ignore[attr-defined]  # typeshed lacks it
                buffered.seek(tar.offset)
                if buffered.read(len(_END)) != _END:
                    passed_over.add("shards without an end mark, which may be cut off", shard.name)
    except (OSError, tarfile.TarError) as error:
        raise _damaged(uri, shard, error) from error


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo, shard: Shard, uri: str) -> bytes:
    try:
        opened = tar.extractfile(member)
        return b"" if opened is None else opened.read()
    except (OSError, tarfile.TarError) as error:
        raise _damaged(uri, shard, error) from error


def _parsed(data: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(data)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    return {str(name): value for name, value in found.items() if isinstance(value, str | int | float | bool)}


def _array(values: list[Any]) -> pa.Array:
    """Of one type, as far as the values have one; else of text."""
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) > 1 and kinds != {int, float}:
        values = [None if value is None else str(value) for value in values]
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError):
        return pa.array([None if value is None else str(value) for value in values])


def _lay_out(read: list[tuple[list[int], list[int]]]) -> Layout:
    starts, shards, held, before = [0], [], [], 0
    for number, (_, sizes) in enumerate(read):
        for start in range(0, len(sizes), PIECE):
            own = sizes[start : start + PIECE]
            starts.append(before + start + len(own))
            shards.append(number)
            held.append(sum(own))
        before += len(sizes)
    return {
        "starts": np.array(starts, np.int64),
        "bytes": np.array(held, np.int64),
        "shard": np.array(shards, np.int64),
        "offsets": np.array([offset for offsets, _ in read for offset in offsets], np.int64),
        "sizes": np.array([size for _, sizes in read for size in sizes], np.int64),
    }


def _braces(path: str) -> list[str]:
    """`a-{08..11}.tar` -> `a-08.tar`, ..., as a shell has it, and `{train,val}`."""
    found = re.search(r"\{([^{}]*)\}", path)
    if found is None:
        return [path]
    ends = re.fullmatch(r"(\d+)\.\.(\d+)", found[1])
    if ends is None:
        parts = found[1].split(",")
    else:
        width = len(ends[1])
        parts = [f"{number:0{width}d}" for number in range(int(ends[1]), int(ends[2]) + 1)]
    before, after = path[: found.start()], path[found.end() :]
    return [each for part in parts for each in _braces(before + part + after)]


def _matching(path: str) -> list[str]:
    """The files that a pattern names, sorted; a path without one names itself."""
    if not _GLOB.search(path.rpartition("/")[2]):
        return [path]
    if "://" not in path:
        return sorted(glob.glob(path))
    folder, _, pattern = path.rpartition("/")
    filesystem, inside = locate(folder)
    found = filesystem.get_file_info(fs.FileSelector(inside))
    names = sorted(info.base_name for info in found if info.type == fs.FileType.File)
    return [f"{folder}/{name}" for name in names if fnmatch(name, pattern)]


def _damaged(uri: str, shard: Shard, error: Exception) -> DataError:
    reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
    return DataError(f"Source {uri!r} cannot be read as WebDataset ({shard.name}): {reason}.")
