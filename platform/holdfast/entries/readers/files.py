"""What readers of files have in common."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from holdfast.base import DataError


def identity_of(files: Sequence[Path]) -> str:
    """Changes when one of the files does: by their names, sizes and times, without reading them."""
    stats = [(str(path.resolve()), path.stat()) for path in files]
    listing = "\n".join(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats)
    return hashlib.sha256(listing.encode()).hexdigest()


def require_file(path: Path) -> None:
    if path.is_dir():
        raise DataError(f"{path} is a folder: name a file in it.")
    if not path.exists():
        raise DataError(f"There is no file {path}.")
