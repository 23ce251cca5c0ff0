"""What one look at every image of a source found, kept in the cache folder: all but the pixels.

An entry is a folder of plain arrays (`.npy`), which are mapped: the rows' columns, the digest of each image's
pixels, where it lies; and `entry.json`, which says what they are. It is whole or absent, as one of
`holdfast.data.cache`.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from holdfast.data.cache import Items, fingerprint_of, unwritable
from holdfast.data.decoder import Decoder
from holdfast.data.image_set import DIGEST, ImageSet, image_digest
from holdfast.data.intact import are_intact, note_intact
from holdfast.data.sources import Layout, Source, is_text
from holdfast.data.streaming.images import Stack, StreamedImages

_ROWS = 4096
"""Rows of text that are written at once."""


def write_survey(
    entry: Path,
    batches: Iterable[Items],
    columns: Mapping[str, np.ndarray],
    places: np.ndarray,
    layout: Layout,
    notes: Sequence[str],
) -> None:
    """Look at all images, batch by batch, and write what is kept of them.

    Args:
        entry: the folder to make; a damaged one is replaced.
        batches: decoded images; rows that none of them names are left out.
        columns: arrays (n,) of all rows. places: int64 (n,), which row of the source each one is.
        layout: where the source's images lie.
        notes: what is to be said whenever the entry is used; looked at after the last batch.

    Raises DataError where the disk is full or the folder cannot be written.
    """
    temporary = entry.with_name(f"{entry.name}.partial")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        _write(temporary, batches, columns, places, layout, notes)
        if entry.exists():
            shutil.rmtree(entry)
        temporary.rename(entry)
        note_intact(entry, [file.name for file in entry.glob("*.npy")])
    except OSError as error:
        raise unwritable(entry.parent, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def read_survey(entry: Path, source: Source, decoder: Decoder, window: int) -> ImageSet | None:
    """The images, streamed, and shuffled among so many.

    None if there is no entry, or if it is not as it was written.
    """
    try:
        described = json.loads((entry / "entry.json").read_bytes())
        if not are_intact(entry, described["sha256"]):
            return None
        arrays = {name: _map(entry / file) for name, file in described["files"].items()}
        columns = {name: arrays[f"column {name}"] for name in described["columns"]}
        layout = {name: arrays[f"layout {name}"] for name in described["layout"]}
        shape, fingerprint = tuple(described["shape"]), str(described["fingerprint"])
        notes, places, digests = tuple(described["notes"]), arrays["places"], arrays["digests"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    where = f"Source {source.uri!r}"
    stack = Stack(where, source.originals(layout), decoder, places, columns["sample_id"], shape, window)
    streamed = StreamedImages(stack, np.arange(len(places)))
    return ImageSet(
        # It stands for an array.
        images=cast(np.ndarray, streamed),
        labels=columns["label"],
        groups=columns["group"],
        sample_ids=columns["sample_id"],
        columns=columns,
        fingerprint=fingerprint,
        digests=digests,
        notes=notes,
    )


def _write(
    folder: Path,
    batches: Iterable[Items],
    columns: Mapping[str, np.ndarray],
    places: np.ndarray,
    layout: Layout,
    notes: Sequence[str],
) -> None:
    pixels, kept, digests, shape = hashlib.sha256(), [], [], ()
    for positions, items, _ in batches:
        for item in items:
            data = np.ascontiguousarray(item)
            pixels.update(data.data)
            digests.append(image_digest(data))
            shape = data.shape
        kept.append(positions)
    rows = np.concatenate(kept)
    columns = {name: values[rows] for name, values in columns.items()}
    arrays = {
        "places": places[rows],
        "digests": np.frombuffer(b"".join(digests), np.uint8).reshape(-1, DIGEST),
        **{f"column {name}": values for name, values in columns.items()},
        **{f"layout {name}": values for name, values in layout.items()},
    }
    # Numbered, since a column may have any name.
    files = {name: f"{number}.npy" for number, name in enumerate(arrays)}
    for name, file in files.items():
        _save(folder / file, arrays[name])
    described: dict[str, Any] = {
        "shape": shape,
        "columns": list(columns),
        "layout": list(layout),
        "files": files,
        "sha256": {file: _sha256(folder / file) for file in files.values()},
        "notes": list(notes),
        # As that of the same images where they are decoded: it is the content's.
        "fingerprint": fingerprint_of(pixels.hexdigest(), (len(rows), *shape), columns),
    }
    (folder / "entry.json").write_text(json.dumps(described))


def _save(file: Path, values: np.ndarray) -> None:
    """Text as text of fixed width, which can be mapped."""
    if not is_text(values) or values.dtype.kind == "U":
        np.save(file, values, allow_pickle=False)
        return
    width = max(map(len, values), default=1) or 1
    target = np.lib.format.open_memmap(file, "w+", np.dtype(f"U{width}"), (len(values),))
    for start in range(0, len(values), _ROWS):
        target[start : start + _ROWS] = values[start : start + _ROWS].astype(f"U{width}")
    target.flush()


def _map(file: Path) -> np.ndarray:
    # Of the plain class, which goes to another process as it is.
    return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
