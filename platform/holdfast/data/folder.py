"""Images in folders: one folder a class, below one folder a split where there are several."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from holdfast.data.table import conform, of_split
from holdfast.errors import DataError

SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"}
)
ONLY_SPLIT = "all"


@dataclass(frozen=True)
class FolderSource:
    """`CLASS/image.png` (everything in the split `all`) or `SPLIT/CLASS/image.png`.

    A sample_id is the path below the folder, with forward slashes; rows are sorted by it. Hidden files and
    files without an image's suffix are passed over. There are no groups.
    """

    uri: str
    path: str

    def read(self, split: str | None = None) -> pa.Table:
        rows = self._rows()
        where = f"Source {self.uri!r}"
        listed = pa.table(
            {name: [row[at] for row in rows] for at, name in enumerate(("split", "label", "sample_id"))}
        )
        chosen = of_split(listed, split, where)
        images = [(Path(self.path) / name).read_bytes() for name in chosen.column("sample_id").to_pylist()]
        return conform(chosen.append_column("image", pa.array(images, pa.large_binary())), where)

    def fingerprint(self) -> str:
        digest = hashlib.sha256(os.path.abspath(self.path).encode())
        for _, _, name in self._rows():
            status = (Path(self.path) / name).stat()
            digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
        return digest.hexdigest()

    def _rows(self) -> list[tuple[str, str, str]]:
        root = Path(self.path)
        if not root.is_dir():
            raise DataError(f"Source {self.uri!r} does not exist: there is no folder {self.path}.")
        paths = sorted(
            path.relative_to(root).as_posix()
            for path in root.rglob("*")
            if path.suffix.lower() in SUFFIXES and path.is_file()
        )
        parts = [
            path.split("/") for path in paths if not any(part.startswith(".") for part in path.split("/"))
        ]
        if not parts:
            raise DataError(f"Source {self.uri!r} is empty: no image lies in a folder of {self.path}.")
        depths = {len(part) for part in parts}
        if depths == {2}:
            return [(ONLY_SPLIT, part[0], "/".join(part)) for part in parts]
        if depths == {3}:
            return [(part[0], part[1], "/".join(part)) for part in parts]
        raise DataError(
            f"Source {self.uri!r} mixes layouts; images must lie in {self.path}/CLASS/ or all of them in "
            f"{self.path}/SPLIT/CLASS/."
        )
