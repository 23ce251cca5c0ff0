"""Images in folders: one folder a class, below one folder a split where there are several."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from holdfast.base import DataError
from holdfast.data.sources.listing import Encoded, Listing, Survey
from holdfast.data.sources.originals import FileOriginals, Layout
from holdfast.data.sources.passed_over import PassedOver
from holdfast.data.sources.source import Source
from holdfast.data.sources.table import conform, of_split
from holdfast.data.sources.walk import FoundFile, as_text, starts_with_dot, walk

SUFFIXES = frozenset(
    {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".gif", ".webp", ".tif", ".tiff"}
    | {".ppm", ".pgm", ".pbm", ".pnm"}
)
BEGINNINGS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"RIFF")
"""Of files without a suffix that are images all the same; RIFF is WebP's, if WEBP follows the length."""
# A path with these is read otherwise than it is written, or cannot be written as text: `$` expands.
_AS_URI = re.compile(r"[\x00-\x1f\x7f$\ud800-\udfff]")
ONLY_SPLIT = "all"
DEEPEST = 3
"""Folders above a file. Two are a split and a class; one more is looked into, to say that it is too deep."""


@dataclass(frozen=True)
class FolderSource(Source):
    """`CLASS/image.png` (everything in the split `all`) or `SPLIT/CLASS/image.png`.

    A sample_id is the path below the folder, with forward slashes; rows are sorted by it. Links are followed.
    An image is what has an image's suffix, or none and an image's first bytes; hidden files, other files,
    dead links and folders without an image are passed over, and counted. There are no groups.
    """

    uri: str
    path: str

    def listing(self, split: str | None = None, columns: Collection[str] | None = None) -> Listing:
        where = f"Source {self.uri!r}"
        files, notes = self._files()
        rows = self._rows(files)
        chosen = of_split(rows.append_column("file", pa.array(np.arange(len(files)))), split, where)
        places = chosen.column("file").to_numpy()

        def images(indices: np.ndarray) -> Iterator[Encoded]:
            for place in places[indices]:
                yield Encoded(files[place].size, partial(_read, files[place].path))

        conformed = conform(chosen.drop_columns(["file"]), where)
        layout = FileOriginals.of([os.fsencode(each.path) for each in files], [each.size for each in files])
        return Listing(conformed, tuple(conformed.column_names), images, notes, places, layout.layout)

    def originals(self, layout: Layout) -> FileOriginals:
        return FileOriginals(layout)

    def survey(self) -> Survey:
        files, notes = self._files()
        digest = hashlib.sha256(os.fsencode(os.path.abspath(self.path)))
        for file in files:
            digest.update(f"{file.name}\0{file.size}\0{file.mtime_ns}\n".encode())
        return Survey(digest.hexdigest(), notes)

    def places(self, sample_ids: Sequence[str]) -> list[str | None]:
        root = os.path.abspath(self.path)
        return [_place(os.path.join(root, *sample_id.split("/"))) for sample_id in sample_ids]

    def _files(self) -> tuple[list[FoundFile], tuple[str, ...]]:
        """The images, and what is to be said about the rest."""
        where = f"Source {self.uri!r}"
        if not os.path.isdir(self.path):
            raise DataError(f"{where} does not exist: there is no folder {as_text(self.path)}.")
        passed_over = PassedOver()
        files, folders = walk(self.path, passed_over, starts_with_dot, DEEPEST, where)
        images = []
        for file in files:
            if _is_image(file, where):
                images.append(file)
            else:
                passed_over.add(Path(file.name).suffix.lower() or "without a suffix", file.name)
        used = {"/".join(file.parts[:depth]) for file in images for depth in range(1, len(file.parts))}
        for folder in folders:
            # Of folders in an empty folder the upper one says it all.
            above = folder.rpartition("/")[0]
            if folder not in used and (not above or above in used):
                passed_over.add("folders without an image", folder)
        notes = passed_over.notes(where)
        if not images:
            raise DataError(
                " ".join([f"{where} is empty: no image lies in a folder of {as_text(self.path)}.", *notes])
            )
        return images, notes

    def _rows(self, files: list[FoundFile]) -> pa.Table:
        depths = Counter(len(file.parts) for file in files)
        if set(depths) == {2}:
            rows = [(ONLY_SPLIT, file.parts[0], file.name) for file in files]
        elif set(depths) == {3}:
            rows = [(file.parts[0], file.parts[1], file.name) for file in files]
        else:
            root = as_text(self.path)
            examples = [next(file.name for file in files if len(file.parts) == depth) for depth in depths]
            found = [f"{count} like {name}" for count, name in zip(depths.values(), examples, strict=True)]
            raise DataError(
                f"Source {self.uri!r} mixes layouts; images must lie in {root}/CLASS/ or all of them in "
                f"{root}/SPLIT/CLASS/. There are {', '.join(found)}."
            )
        return pa.table(
            {name: [row[at] for row in rows] for at, name in enumerate(("split", "label", "sample_id"))}
        )


def _is_image(file: FoundFile, where: str) -> bool:
    suffix = Path(file.name).suffix.lower()
    if suffix:
        return suffix in SUFFIXES
    try:
        with open(file.path, "rb") as opened:
            first = opened.read(12)
    except OSError as error:
        raise DataError(f"{where}: {file.name} cannot be read: {error.strerror or error}.") from error
    return first.startswith(BEGINNINGS) and (first[:4] != b"RIFF" or first[8:] == b"WEBP")


def _place(path: str) -> str | None:
    if not os.path.isfile(path):
        return None
    return Path(path).as_uri() if _AS_URI.search(path) else path


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
