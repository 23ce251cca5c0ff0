"""Snapshots of the index in this process: written beside searches, loaded in place of a rebuild."""

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from holdfast.errors import StoreError
from holdfast.gallery.snapshot_files import Loading, Saving
from holdfast.store.artifacts import sync

logger = logging.getLogger(__name__)

_PARTIAL = ".partial"

Contents = TypeVar("Contents")


class Snapshots:
    """The snapshots of one gallery in a folder, each a folder that is named after the last write in it.

    One is complete or not there: it is written under another name, brought to the disk, and then renamed.
    Several processes may share the folder; one of them writes at a time.

    Args:
        origin: of which database they are; those of another are not touched.
    """

    def __init__(self, folder: Path, origin: str) -> None:
        self._folder = folder / "snapshots"
        self._origin = origin

    def newest(self) -> int:
        """The last write that the newest one holds, 0 for none. Its files are not read."""
        return max(self._numbers(), default=0)

    def load(self, read: Callable[[Loading], Contents]) -> Contents | None:
        """What `read` makes of the newest one that is in order, None if there is none. One that is not is
        named in the log, and removed so that it is not tried again."""
        for number in sorted(self._numbers(), reverse=True):
            try:
                found = Loading.of(self._folder / str(number))
                if found.facts["origin"] != self._origin:
                    raise StoreError(f"The snapshot {number} is of another database.")
                return read(found)
            except (StoreError, OSError, RuntimeError, ValueError, KeyError) as error:
                logger.warning("%s The index is built without it.", error)
                shutil.rmtree(self._folder / str(number), ignore_errors=True)
        return None

    def save(self, number: int, write: Callable[[Saving], None]) -> bool:
        """Write one that holds everything up to write `number`, and remove the older ones.

        False if another process is writing one, or has written one that is as new. Raises StoreError if the
        disk is full or cannot be written; the snapshots of before stay.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self._folder / "lock", timeout=0):
                if self.newest() >= number:
                    return False
                self._remove(lambda name: name.endswith(_PARTIAL))
                partial = self._folder / f"{number}{_PARTIAL}"
                try:
                    files = Saving.into(partial)
                    write(files)
                    files.finish(origin=self._origin)
                    partial.rename(self._folder / str(number))
                except BaseException:
                    shutil.rmtree(partial, ignore_errors=True)
                    raise
                sync(self._folder)
                self._remove(lambda name: name.isdigit() and int(name) < number)
                return True
        except Timeout:
            return False
        except (OSError, RuntimeError) as error:  # FAISS raises the latter
            text = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise StoreError(
                f"No snapshot of the index could be written to {self._folder}: {text}."
            ) from error

    def _numbers(self) -> list[int]:
        try:
            return [int(name) for name in os.listdir(self._folder) if name.isdigit()]
        except FileNotFoundError:
            return []

    def _remove(self, goes: Callable[[str], bool]) -> None:
        for name in os.listdir(self._folder):
            if goes(name):
                shutil.rmtree(self._folder / name, ignore_errors=True)
