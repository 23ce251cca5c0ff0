"""Snapshots of the index in this process: written beside searches, loaded in place of a rebuild."""

import logging
import os
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from holdfast.base import StoreError, sync
from holdfast.index.local.snapshot_files import DamagedSnapshotError, Loading, Saving
from holdfast.store import SNAPSHOT, Mark, Store

logger = logging.getLogger(__name__)

_PARTIAL = ".partial"
_NAME = re.compile(r"(\d+)-([0-9a-f]{32})")  # number and nonce of its mark

Contents = TypeVar("Contents")


class Snapshots:
    """The snapshots of one gallery in a folder, each a folder that is named after its mark.

    One is complete or not there: it is written under another name, brought to the disk, and then renamed.
    Several processes may share the folder; one of them writes at a time.

    One is believed only if the database has its mark. Others are of another database, or of another history
    of this one, and are left alone. Removed is what is damaged, and what a newer one replaces.
    """

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder = folder / "snapshots"
        self._store = store

    def newest(self) -> int:
        """The last write that the newest one holds, 0 for none. Its files are not read."""
        return max((mark.seq for mark in self.believed()), default=0)

    def believed(self) -> list[Mark]:
        """The marks of those that are of this database and its history, newest first."""
        return sorted(self._store.history.known(self._marks()), reverse=True)

    def foreign(self) -> list[Mark]:
        """The marks of the others."""
        marks = self._marks()
        return sorted(set(marks) - self._store.history.known(marks), reverse=True)

    def path(self, mark: Mark) -> Path:
        return self.folder / f"{mark.seq}-{mark.nonce}"

    def read(self, mark: Mark, read: Callable[[Loading], Contents]) -> Contents:
        """What `read` makes of this one. Raises DamagedSnapshotError if it is not as it was written, and what
        `read` and the disk raise."""
        found = Loading.of(self.path(mark))
        if found.facts.get("mark") != list(mark):
            raise StoreError(f"The snapshot {mark.seq} is not what its name says.")
        return read(found)

    def load(self, read: Callable[[Loading], Contents]) -> tuple[Mark, Contents] | None:
        """The newest one that is in order, as `read` makes it, and its mark; None if there is none.

        One that is damaged is named in the log and removed, so that it is not tried again. One that cannot
        be used for another reason is named, and stays.
        """
        for mark in self.believed():
            try:
                return mark, self.read(mark, read)
            except DamagedSnapshotError as error:
                logger.warning("%s It is removed, and the index is built without it.", error)
                shutil.rmtree(self.path(mark), ignore_errors=True)
            except (StoreError, OSError, RuntimeError, ValueError, KeyError) as error:
                logger.warning(
                    "The snapshot %s cannot be used now, and stays where it is; the index is built without "
                    "it: %s",
                    self.path(mark),
                    error,
                )
        for mark in self.foreign():
            logger.warning(
                "The snapshot %s is of another database, or of another history of this one: it is not used.",
                self.path(mark),
            )
        return None

    def save(self, number: int, write: Callable[[Saving], tuple[int, Mark | None]]) -> bool:
        """Write one that holds everything up to write `number`, or later, and remove those it replaces.

        `write` gives the last write that it holds, and the mark up to which the database was followed.

        False if another process is writing one, or has written one that is as new. Raises StoreError if the
        disk is full or cannot be written, or if the database has become another one; the snapshots of before
        stay.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / "lock", timeout=0):
                if self.newest() >= number:
                    return False
                self._remove(name for name in os.listdir(self.folder) if name.endswith(_PARTIAL))
                partial = self.folder / f"{number}{_PARTIAL}"
                try:
                    files = Saving.into(partial)
                    applied, seen = write(files)
                    # After the contents are fixed: a backup of before does not know the mark.
                    mark = self._store.history.keep(seen, applied, SNAPSHOT)
                    files.finish(origin=self._store.origin(), mark=mark)
                    partial.rename(self.path(mark))
                except BaseException:
                    shutil.rmtree(partial, ignore_errors=True)
                    raise
                sync(self.folder)
                self._remove(self.path(old).name for old in self.believed() if old.seq < mark.seq)
                return True
        except Timeout:
            return False
        except (OSError, RuntimeError) as error:  # FAISS raises the latter
            text = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise StoreError(
                f"No snapshot of the index could be written to {self.folder}: {text}."
            ) from error

    def _marks(self) -> list[Mark]:
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        found = [match for name in names if (match := _NAME.fullmatch(name))]
        return [Mark(int(match[1]), match[2]) for match in found]

    def _remove(self, names: Iterable[str]) -> None:
        for name in list(names):
            shutil.rmtree(self.folder / name, ignore_errors=True)
