"""The files of one snapshot: arrays and FAISS indexes as they are, and a manifest with their checksums."""

import hashlib
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from holdfast.base import StoreError, sync
from holdfast.index.local.rows import Rows

MANIFEST = "manifest.json"
FORMAT = 3
READABLE = (2, 3)  # 2 held no lists

Notes = dict[str, Any]


class DamagedSnapshotError(StoreError):
    """A snapshot whose bytes are not those that were written."""


@dataclass(frozen=True)
class Saving:
    """Where the parts of an index write what they hold. `within` gives a part names of its own."""

    folder: Path
    prefix: str
    notes: Notes
    files: dict[str, int]

    @classmethod
    def into(cls, folder: Path) -> "Saving":
        """Raises OSError if the folder cannot be made."""
        folder.mkdir(parents=True)
        return cls(folder, "", {}, {})

    def within(self, name: str) -> "Saving":
        return Saving(self.folder, f"{self.prefix}{name}.", self.notes, self.files)

    def note(self, name: str, value: Any) -> None:
        """A value that JSON can hold."""
        self.notes[self.prefix + name] = value

    def array(self, name: str, array: np.ndarray) -> None:
        """The elements, row by row."""
        self._file(name, lambda write: write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data))

    def index(self, name: str, index: Any) -> None:
        """A FAISS index."""
        # Without FAISS's buffer, whose destructor would end the process if the disk is full.
        writer: Any = faiss.PyCallbackIOWriter  # type: ignore[attr-defined]
        self._file(name, lambda write: faiss.write_index(index, writer(write)))

    def finish(self, **facts: Any) -> None:
        """Write the manifest with checksums of all files, and see to it that all is on the disk."""
        files = {}
        for name, size in self.files.items():
            sync(self.folder / name)
            files[name] = {"bytes": size, "sha256": _digest(self.folder / name)}
        body = json.dumps({"format": FORMAT, **facts, "notes": self.notes, "files": files})
        text = json.dumps({"sha256": hashlib.sha256(body.encode()).hexdigest(), "body": body})
        (self.folder / MANIFEST).write_text(text)
        sync(self.folder / MANIFEST)
        sync(self.folder)

    def _file(self, name: str, dump: Callable[[Callable[[Any], int]], Any]) -> None:
        with (self.folder / (self.prefix + name)).open("wb") as file:
            dump(file.write)
            self.files[self.prefix + name] = file.tell()


@dataclass(frozen=True)
class Loading:
    """What `Saving` wrote. The files are mapped, and what is changed stays in this process."""

    folder: Path
    prefix: str
    facts: Mapping[str, Any]

    @classmethod
    def of(cls, folder: Path) -> "Loading":
        """Check every byte.

        Raises:
            DamagedSnapshotError: a file is not as it was written; named.
            StoreError: it is of another format. OSError: a file cannot be read now.
        """
        try:
            with (folder / MANIFEST).open("rb") as file:
                sealed = json.load(file)
            body = sealed["body"]
            intact = hashlib.sha256(body.encode()).hexdigest() == sealed["sha256"]
            facts = json.loads(body)
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DamagedSnapshotError(f"The snapshot {folder} has no whole {MANIFEST}.") from error
        if not intact:
            raise DamagedSnapshotError(f"The {MANIFEST} of the snapshot {folder} is damaged.")
        if facts["format"] not in READABLE:
            raise StoreError(f"The snapshot {folder} is of another format, for another Holdfast.")
        with ThreadPoolExecutor(2) as pool:  # hashing lets other threads run
            for problem in pool.map(lambda item: _problem(folder / item[0], item[1]), facts["files"].items()):
                if problem:
                    raise DamagedSnapshotError(f"The snapshot {folder} is damaged: {problem}.")
        return cls(folder, "", facts)

    def within(self, name: str) -> "Loading":
        return Loading(self.folder, f"{self.prefix}{name}.", self.facts)

    def noted(self, name: str) -> Any:
        return self.facts["notes"][self.prefix + name]

    def array(self, name: str, dtype: Any, width: int | None = None) -> np.ndarray:
        """(n,) or (n, width), a copy."""
        flat = np.fromfile(self.folder / (self.prefix + name), dtype)
        return flat if width is None else flat.reshape(-1, width)

    def rows(self, name: str, dtype: Any, width: int | None, folder: Path | None) -> Rows:
        return Rows.mapped(self.folder / (self.prefix + name), dtype, width, folder)

    def index(self, name: str) -> Any:
        """A FAISS index, whose lists take no more memory than they need."""
        return faiss.read_index(str(self.folder / (self.prefix + name)))


def _problem(file: Path, wanted: Mapping[str, Any]) -> str:
    try:
        if file.stat().st_size != wanted["bytes"]:
            return f"{file.name} has {file.stat().st_size} bytes of {wanted['bytes']}"
        if _digest(file) != wanted["sha256"]:
            return f"the checksum of {file.name} is another"
    except FileNotFoundError:
        return f"{file.name} is missing"
    return ""


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
