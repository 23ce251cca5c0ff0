"""Files that appear whole or not at all, at places that were looked at before the work for them began."""

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from holdfast.base.errors import DataError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
_DRAFT = ".holdfast-draft-"


def require_writable(path: Path, makes_folders: bool = True) -> None:
    """Raises DataError unless a file can be written to `path` now.

    For whoever works for minutes before there is anything to write; `makes_folders` tells whether the folders
    that the path lacks will be made then. Nothing is left behind.
    """
    try:
        target = path.resolve()
        if target.is_dir():
            raise DataError(f"{path} is a folder: name a file in it.")
        if target.exists() and not target.is_file():
            raise DataError(f"{path} is a device or a pipe: name a file.")
        if target.exists() and not os.access(target, os.W_OK):
            raise DataError(f"{path} is write-protected: name another file, or allow it to be replaced.")
        folder = target.parent
        while makes_folders and not folder.exists():
            folder = folder.parent
        probe = _draft(folder / target.name)
        probe.touch()
        probe.unlink()
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path} cannot be written: {reason}. Name another place.") from error


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Where to write what becomes `path` when the block ends: on disk, and in the place of what was there.

    If the block raises nothing is left. Raises DataError where the disk is full or refuses.
    """
    target = path.resolve()
    draft = _draft(target)
    try:
        yield draft
        sync(draft)
        draft.replace(target)
        sync(target.parent)
    except OSError as error:
        # What is written to is not always named, but of what is read nobody says that it is full.
        if error.errno in _FULL or error.filename == str(draft):
            raise DataError(f"{path} cannot be written: {error.strerror or error}.") from error
        raise
    finally:
        draft.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk: a power cut may bring them back otherwise."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_drafts(folder: Path) -> None:
    """Remove what killed writers left in a folder, in which nobody else may be writing now."""
    for draft in folder.glob(f"{_DRAFT}*"):
        draft.unlink(missing_ok=True)


def _draft(target: Path) -> Path:
    # Not made from the target's own name, which may be as long as a name can be.
    return target.with_name(f"{_DRAFT}{uuid.uuid4().hex}")
