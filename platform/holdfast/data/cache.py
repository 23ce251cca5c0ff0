"""Decoded images on disk: written once, checked at every opening, mapped by all processes of a machine.

An entry is a folder with `images.bin` (uint8, C order), `rows.arrow` (every column) and `entry.json` (shape
and digests). It is written under a temporary name and renamed, so that an entry is whole or absent.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
from filelock import FileLock

from holdfast.data.image_set import ImageSet
from holdfast.errors import DataError

Columns = Mapping[str, np.ndarray]


@contextmanager
def locked(folder: Path, key: str) -> Iterator[Path]:
    """Hold the lock of one entry: one process makes it, the others wait. Gives the entry's folder.

    Raises:
        DataError: the cache folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{key}.lock")
        lock.acquire()
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        yield folder / key
    finally:
        lock.release()


def write_entry(entry: Path, batches: Iterable[tuple[np.ndarray, np.ndarray]], columns: Columns) -> None:
    """Write an entry, batch by batch.

    Args:
        entry: the folder to make; a damaged one is replaced.
        batches: positions int64 (b,) into the columns and pixels uint8 (b, C, H, W). Rows that no batch names
            are left out, and counted.
        columns: arrays (n,) of all rows.

    Raises:
        DataError: the disk is full or the folder cannot be written.
    """
    temporary = entry.with_name(f"{entry.name}.partial")
    try:
        _remove(temporary)
        temporary.mkdir(parents=True)
        _write(temporary, batches, columns)
        _remove(entry)
        temporary.rename(entry)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise _unwritable(entry.parent, error) from error
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def read_entry(entry: Path) -> tuple[ImageSet, int] | None:
    """The entry's images, mapped and read-only, and how many rows were left out.

    None if there is no entry, or if it is truncated or its content does not match its digests.
    """
    try:
        described = json.loads((entry / "entry.json").read_bytes())
        shape = tuple(described["shape"])
        if (entry / "images.bin").stat().st_size != int(np.prod(shape)):
            return None
        for name in ("images.bin", "rows.arrow"):
            with open(entry / name, "rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != described["sha256"][name]:
                    return None
        columns = _read_columns(entry / "rows.arrow")
        skipped = int(described["skipped"])
        fingerprint = str(described["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        return None
    images = np.memmap(entry / "images.bin", dtype=np.uint8, mode="r", shape=shape)
    return ImageSet(
        images=images,
        labels=columns["label"],
        groups=columns["group"],
        sample_ids=columns["sample_id"],
        columns=columns,
        fingerprint=fingerprint,
    ), skipped


def _write(folder: Path, batches: Iterable[tuple[np.ndarray, np.ndarray]], columns: Columns) -> None:
    digest = hashlib.sha256()
    kept: list[np.ndarray] = []
    shape: tuple[int, ...] = ()
    with open(folder / "images.bin", "wb") as file:
        for positions, pixels in batches:
            data = np.ascontiguousarray(pixels, dtype=np.uint8).data
            digest.update(data)
            file.write(data)
            kept.append(positions)
            shape = pixels.shape[1:]
    rows = np.concatenate(kept)
    skipped = len(columns["label"]) - len(rows)
    columns = {name: values[rows] for name, values in columns.items()}
    table = pa.table({name: pa.array(values.tolist()) for name, values in columns.items()})
    with pa.OSFile(str(folder / "rows.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    with open(folder / "rows.arrow", "rb") as file:
        rows_digest = hashlib.file_digest(file, "sha256").hexdigest()
    described = {
        "shape": [len(rows), *shape],
        "sha256": {"images.bin": digest.hexdigest(), "rows.arrow": rows_digest},
        "skipped": skipped,
        "fingerprint": _fingerprint(digest.hexdigest(), (len(rows), *shape), columns),
    }
    (folder / "entry.json").write_text(json.dumps(described))


def _fingerprint(images: str, shape: tuple[int, ...], columns: Columns) -> str:
    """Of the content alone, so that the same images have the same fingerprint wherever they lie."""
    content = [images, list(shape), *(columns[name].tolist() for name in ("label", "group", "sample_id"))]
    return hashlib.sha256(json.dumps(content, ensure_ascii=True).encode()).hexdigest()


def _read_columns(path: Path) -> dict[str, np.ndarray]:
    with pa.memory_map(str(path)) as source:
        table = pa.ipc.open_file(source).read_all()
    text = {name for name in table.column_names if pa.types.is_string(table.schema.field(name).type)}
    return {
        name: np.array(table.column(name).to_pylist(), dtype=np.str_ if name in text else None)
        for name in table.column_names
    }


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _unwritable(folder: Path, error: OSError) -> DataError:
    return DataError(
        f"Cannot write decoded images to {folder}: {error.strerror or error}. "
        "Make room there, or set HOLDFAST_CACHE to another folder."
    )
