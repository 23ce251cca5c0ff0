"""Decoded images, or vectors, on disk: written once, checked once a machine, mapped by all its processes.

An entry is a folder with `images.bin` (uint8, or float32 of vectors, C order), `digests.bin` (of the content
of each), `rows.arrow` (every column) and `entry.json` (shape, digests of the files, what is to be said). It
is written under a temporary name and renamed, so that an entry is whole or absent.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from filelock import FileLock

from holdfast.base import DataError
from holdfast.data.image_set import DIGEST, ImageSet, image_digest
from holdfast.data.intact import are_intact, note_intact
from holdfast.data.sources import text_array

Columns = Mapping[str, np.ndarray]
FILES = ("images.bin", "digests.bin", "rows.arrow")
GATHERED = 16 * 2**20
"""Bytes of images that are copied at once."""


class Items(NamedTuple):
    """Some rows of an entry.

    Attributes:
        positions: int64 (b,), their places among the rows of the columns.
        items: the pixels of each, uint8 (C, H, W), or its vector, float32 (d,); all of an entry are alike.
        digests: DIGEST bytes of each one's content, where these are not to be those of the items themselves.
    """

    positions: np.ndarray
    items: Sequence[np.ndarray] | np.ndarray
    digests: Sequence[bytes] | None = None


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
        raise unwritable(folder, error) from error
    try:
        yield folder / key
    finally:
        lock.release()


def write_entry(
    entry: Path,
    batches: Iterable[Items],
    columns: Columns,
    notes: Sequence[str] = (),
) -> None:
    """Write an entry, batch by batch.

    Args:
        entry: the folder to make; a damaged one is replaced.
        batches: rows that none of them names are left out.
        columns: arrays (n,) of all rows.
        notes: what is to be said whenever the entry is used; looked at after the last batch.

    Raises:
        DataError: the disk is full or the folder cannot be written.
    """
    temporary = entry.with_name(f"{entry.name}.partial")
    try:
        _remove(temporary)
        temporary.mkdir(parents=True)
        _write(temporary, batches, columns, notes)
        _remove(entry)
        temporary.rename(entry)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise unwritable(entry.parent, error) from error
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    note_intact(entry, FILES)


def read_entry(entry: Path) -> ImageSet | None:
    """The entry's images, mapped and read-only.

    None if there is no entry, or if it is truncated or its content does not match its digests. The content is
    read for that once a machine; after that the files' sizes and times tell.
    """
    try:
        described = json.loads((entry / "entry.json").read_bytes())
        shape, kind = tuple(described["shape"]), np.dtype(described.get("dtype", "uint8"))
        if (entry / "images.bin").stat().st_size != int(np.prod(shape)) * kind.itemsize:
            return None
        if not are_intact(entry, {name: described["sha256"][name] for name in FILES}):
            return None
        columns = _read_columns(entry / "rows.arrow")
        digests = np.fromfile(entry / "digests.bin", np.uint8).reshape(shape[0], DIGEST)
        fingerprint = str(described["fingerprint"])
        notes = tuple(described["notes"])
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        return None
    return ImageSet(
        images=np.memmap(entry / "images.bin", dtype=kind, mode="r", shape=shape),
        labels=columns["label"],
        groups=columns["group"],
        sample_ids=columns["sample_id"],
        columns=columns,
        fingerprint=fingerprint,
        digests=digests,
        notes=notes,
    )


def map_rows(images: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """`images[indices]`, read-only: mapped from a file beside the one that `images` are mapped from, which is
    written once. Copied, where `images` are not mapped or nothing can be written there."""
    mapped = getattr(images, "filename", None)
    shape = (len(indices), *images.shape[1:])
    if mapped is None or not len(indices):
        return _frozen(images[indices])
    chosen = hashlib.sha256(indices.astype("<i8").tobytes()).hexdigest()[:32]
    file = Path(mapped).with_name(f"rows-{chosen}.bin")
    try:
        if not file.is_file() or not are_intact(file.parent, _told(file)):
            _gather(images, indices, file)
    except OSError:
        return _frozen(images[indices])
    return np.memmap(file, dtype=images.dtype, mode="r", shape=shape)


def _gather(images: np.ndarray, indices: np.ndarray, file: Path) -> None:
    """Write the chosen images and beside them the file's digest. Several processes may do it at once."""
    temporary = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    digest = hashlib.sha256()
    step = max(1, GATHERED // max(1, images[:1].nbytes))
    try:
        with open(temporary, "wb") as target:
            for start in range(0, len(indices), step):
                data = np.ascontiguousarray(images[indices[start : start + step]]).data
                digest.update(data)
                target.write(data)
        os.replace(temporary, file)
        temporary.write_text(digest.hexdigest())
        os.replace(temporary, _told_by(file))
    finally:
        temporary.unlink(missing_ok=True)
    note_intact(file.parent, (file.name,))


def _told_by(file: Path) -> Path:
    return file.with_suffix(".sha256")


def _told(file: Path) -> dict[str, str]:
    return {file.name: _told_by(file).read_text()}


def _frozen(images: np.ndarray) -> np.ndarray:
    # What is streamed cannot be written to anyway.
    if isinstance(images, np.ndarray):
        images.flags.writeable = False
    return images


def _write(folder: Path, batches: Iterable[Items], columns: Columns, notes: Sequence[str]) -> None:
    digest, each = hashlib.sha256(), hashlib.sha256()
    kept: list[np.ndarray] = []
    shape: tuple[int, ...] = ()
    kind, own = np.dtype(np.uint8), True
    with open(folder / "images.bin", "wb") as file, open(folder / "digests.bin", "wb") as digests:
        for positions, items, given in batches:
            for block in [items] if isinstance(items, np.ndarray) else (item[None] for item in items):
                data = np.ascontiguousarray(block)
                digest.update(data.data)
                file.write(data.data)
                shape, kind = data.shape[1:], data.dtype
            of_items = b"".join(given or map(image_digest, items))
            own = own and given is None
            each.update(of_items)
            digests.write(of_items)
            kept.append(positions)
    rows = np.concatenate(kept)
    columns = {name: values[rows] for name, values in columns.items()}
    table = pa.table({name: pa.array(values.tolist()) for name, values in columns.items()})
    with pa.OSFile(str(folder / "rows.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    with open(folder / "rows.arrow", "rb") as file:
        rows_digest = hashlib.file_digest(file, "sha256").hexdigest()
    whole = digest.hexdigest()
    described = {
        "shape": [len(rows), *shape],
        "dtype": kind.name,
        "sha256": dict(zip(FILES, (whole, each.hexdigest(), rows_digest), strict=True)),
        "notes": list(notes),
        "fingerprint": fingerprint_of(whole if own else each.hexdigest(), (len(rows), *shape), columns),
    }
    (folder / "entry.json").write_text(json.dumps(described))


def fingerprint_of(images: str, shape: tuple[int, ...], columns: Columns) -> str:
    """Of the content alone, so that the same images have the same fingerprint wherever they lie."""
    content = [images, list(shape), *(columns[name].tolist() for name in ("label", "group", "sample_id"))]
    return hashlib.sha256(json.dumps(content, ensure_ascii=True).encode()).hexdigest()


def _read_columns(path: Path) -> dict[str, np.ndarray]:
    # Not mapped: the file is small, and may be replaced.
    with pa.OSFile(str(path)) as source:
        table = pa.ipc.open_file(source).read_all()
    return {name: _array(table.column(name)) for name in table.column_names}


def _array(column: pa.ChunkedArray) -> np.ndarray:
    if not pa.types.is_string(column.type):
        return np.array(column.to_pylist())
    # One text object for all rows that have the same.
    encoded = column.combine_chunks().dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    return text_array([texts[code] for code in encoded.indices.to_numpy()])


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def unwritable(folder: Path, error: OSError) -> DataError:
    return DataError(
        f"Cannot write decoded images to {folder}: {error.strerror or error}. "
        "Make room there, or set HOLDFAST_CACHE to another folder."
    )
